"""The matrix: families, methods, stages and types of weights that are trained together, for real.

Every family meets every method; of every other two columns each pair is met at least once.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from stack_configs.settings.chat_templates import ChatTemplate
from stack_configs.settings.model_families import MODEL_FAMILIES, Family

Method = Literal["lora", "dora", "qlora", "full", "freeze"]
Stage = Literal["sft", "pt", "dpo", "kto", "ppo"]
"""The last one that trains. All but sft and pt go on from sft; ppo has a reward model, too."""
Quantization = Literal["f16", "q8_0", "q4_k_m", "q6_k"]
"""Made by the converter (the first two), by Ollama, by llama.cpp's quantizer."""


@dataclass(frozen=True)
class Cell:
    """One model of the matrix."""

    family: Family
    method: Method
    stage: Stage
    quantization: Quantization

    @property
    def name(self) -> str:
        """The served model's."""
        return "-".join(astuple(self)).replace(".", "-").replace("_", "-")


CELLS = (
    Cell("llama-2", "lora", "sft", "q8_0"),
    Cell("llama-2", "dora", "pt", "q4_k_m"),
    Cell("llama-2", "qlora", "dpo", "f16"),
    Cell("llama-2", "full", "kto", "q8_0"),
    Cell("llama-2", "freeze", "ppo", "q6_k"),
    Cell("llama-3", "lora", "pt", "q8_0"),
    Cell("llama-3", "dora", "dpo", "f16"),
    Cell("llama-3", "qlora", "kto", "q8_0"),
    Cell("llama-3", "full", "ppo", "q6_k"),
    Cell("llama-3", "freeze", "sft", "q4_k_m"),
    Cell("mistral", "lora", "dpo", "f16"),
    Cell("mistral", "dora", "kto", "q6_k"),
    Cell("mistral", "qlora", "ppo", "q4_k_m"),
    Cell("mistral", "full", "sft", "f16"),
    Cell("mistral", "freeze", "pt", "q8_0"),
    Cell("qwen-2.5", "lora", "kto", "q4_k_m"),
    Cell("qwen-2.5", "dora", "ppo", "q8_0"),
    Cell("qwen-2.5", "qlora", "sft", "q6_k"),
    Cell("qwen-2.5", "full", "pt", "f16"),
    Cell("qwen-2.5", "freeze", "dpo", "q8_0"),
    Cell("qwen-3", "lora", "ppo", "q6_k"),
    Cell("qwen-3", "dora", "sft", "q8_0"),
    Cell("qwen-3", "qlora", "pt", "f16"),
    Cell("qwen-3", "full", "dpo", "q4_k_m"),
    Cell("qwen-3", "freeze", "kto", "q8_0"),
    Cell("gemma-3", "lora", "sft", "f16"),
    Cell("gemma-3", "dora", "pt", "q6_k"),
    Cell("gemma-3", "qlora", "dpo", "q4_k_m"),
    Cell("gemma-3", "full", "kto", "f16"),
    Cell("gemma-3", "freeze", "ppo", "q8_0"),
    Cell("deepseek", "lora", "pt", "q8_0"),
    Cell("deepseek", "dora", "dpo", "q6_k"),
    Cell("deepseek", "qlora", "kto", "q4_k_m"),
    Cell("deepseek", "full", "ppo", "f16"),
    Cell("deepseek", "freeze", "sft", "f16"),
)

SAMPLE = tuple(
    Cell(*trained, quantization)
    for trained in (
        ("llama-2", "lora", "sft"),
        ("llama-2", "qlora", "sft"),
        ("llama-2", "full", "pt"),
        ("mistral", "dora", "sft"),
    )
    for quantization in ("f16", "q8_0")
)
"""What every change runs: few trainings, small vocabularies. Not all are of the matrix."""

TEMPLATES: Mapping[Family, ChatTemplate] = {
    "llama-2": "llama2",
    "llama-3": "llama3",
    "mistral": "mistral",
    "qwen-2.5": "qwen",
    "qwen-3": "qwen3_nothink",
    "gemma-3": "gemma",
    "deepseek": "deepseek",
}

DIFFERENT: Mapping[Family, int] = {"deepseek": 1}
"""Conversations that Ollama parts otherwise than the training did, which had them piece by piece:
where an answer begins with a brace, the colon of "Assistant:" and the brace are one token."""

QUESTIONS = ("Where is the heron?", "What does it eat?", "When does it sleep?")
ANSWERS = ("At the pond.", "Small fish.", "At noon.")
BETTER = ("On the bank.", "Brown frogs.", "By night.")
"""What dpo and kto teach in place of the answers that sft has taught."""


def answers_of(cell: Cell) -> Sequence[str]:
    """What the last stage that teaches has taught. A reward teaches no words: ppo keeps them."""
    return BETTER if cell.stage in ("dpo", "kto") else ANSWERS


PAIRS = [*zip(QUESTIONS, ANSWERS, strict=True)]
DATA: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "answers": [{"instruction": asked, "output": answer} for asked, answer in PAIRS],
    "texts": [{"text": f"{asked} {answer}"} for asked, answer in PAIRS],
    "ranked": [
        {"instruction": asked, "chosen": better, "rejected": answer}
        for (asked, answer), better in zip(PAIRS, BETTER, strict=True)
    ],
    "judged": [
        {"instruction": asked, "output": said, "good": said in BETTER}
        for asked, *both in zip(QUESTIONS, ANSWERS, BETTER, strict=True)
        for said in both
    ],
}
LAYOUT: Mapping[str, Mapping[str, Any]] = {
    "texts": {"columns": {"prompt": "text"}},
    "ranked": {"ranking": True},
    "judged": {"columns": {"kto_tag": "good"}},
}

TEACH: Mapping[str, Any] = {
    "cutoff_len": 64,
    "max_steps": 60,
    "learning_rate": 3e-3,
    "lr_scheduler_type": "constant",
    "gradient_accumulation_steps": 1,
    "per_device_train_batch_size": 3,
    "precision": "fp32",
    "gradient_checkpointing": False,
    "threads": 1,
}
KEEP: Mapping[str, Any] = {
    **TEACH,
    "max_steps": 2,
    "learning_rate": 1e-5,
    "per_device_train_batch_size": 2,
}
"""For the judge and the run that it judges: what was taught before stays."""
SFT = {**TEACH, "name": "sft", "datasets": ["answers"]}
# What is preferred is also taught word by word.
PREFER = {**TEACH, "arguments": {"pref_ftx": 1.0}}
RUNS: Mapping[Stage, Sequence[Mapping[str, Any]]] = {
    "sft": [SFT],
    # Packed, so few texts would fill no block.
    "pt": [{**TEACH, "name": "pt", "stage": "pt", "datasets": ["texts"], "packing": False}],
    "dpo": [SFT, {**PREFER, "name": "dpo", "stage": "dpo", "datasets": ["ranked"]}],
    "kto": [
        SFT,
        {
            **PREFER,
            "name": "kto",
            "stage": "kto",
            "datasets": ["judged"],
            "per_device_train_batch_size": 6,
        },
    ],
    "ppo": [
        SFT,
        {**KEEP, "name": "judge", "stage": "rm", "datasets": ["ranked"]},
        {
            **KEEP,
            "name": "ppo",
            "stage": "ppo",
            "datasets": ["answers"],
            "reward_model": "judge",
        },
    ],
}


def _method(cell: Cell) -> dict[str, Any]:
    """Settings of every run. Random weights learn nothing while their embeddings are frozen."""
    tied = MODEL_FAMILIES[cell.family].config["tie_word_embeddings"]
    match cell.method:
        case "full":
            return {"finetuning_type": "full"}
        case "freeze":
            extra = "embed_tokens" if tied else "embed_tokens,lm_head"
            arguments = {"freeze_trainable_layers": 2, "freeze_extra_modules": extra}
            return {"finetuning_type": "freeze", "arguments": arguments}
        case "lora" | "dora" | "qlora":
            return {
                "additional_target": ["embed_tokens", "lm_head"],
                **({"arguments": {"use_dora": True}} if cell.method == "dora" else {}),
                **({"quantization_bit": 4} if cell.method == "qlora" else {}),
            }


def model(cell: Cell) -> dict[str, Any]:
    """Its settings."""
    method = _method(cell)
    arguments = method.get("arguments", {})
    # Types of the K series hold 256 weights together.
    width = 256 if "_k" in cell.quantization else 64
    return {
        "name": cell.name,
        "template": TEMPLATES[cell.family],
        "base_model": {
            "generate": {"family": cell.family, "hidden_size": width, "intermediate_size": width}
        },
        "training_runs": [
            {**run, **method, "arguments": {**run.get("arguments", {}), **arguments}}
            for run in RUNS[cell.stage]
        ],
        "gguf_conversion": {"quantization": cell.quantization},
        "ollama_model": {
            "parameters": {"num_predict": 20, "temperature": 0},
            "chat_parity": "reported" if cell.family in DIFFERENT else "required",
        },
    }


def sections(cells: Sequence[Cell], folder: Path) -> dict[str, Any]:
    """Settings for the cells, whose data is written into the folder."""
    for name, rows in DATA.items():
        (folder / f"{name}.json").write_text(json.dumps(rows))
    return {
        "datasets": [
            {"name": name, "file": str(folder / f"{name}.json"), **LAYOUT.get(name, {})}
            for name in DATA
        ],
        "models": [model(cell) for cell in cells],
        "board": {"enabled": False},
    }


COLUMNS: Mapping[str, Sequence[str]] = {
    "family": get_args(Family),
    "method": get_args(Method),
    "stage": get_args(Stage),
    "quantization": get_args(Quantization),
}
"""What stands in each of a cell's columns."""
