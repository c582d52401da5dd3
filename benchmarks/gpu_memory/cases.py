"""Runs of real models: what is tracked, what is measured on a GPU, what the estimate is held to."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plan.model_shape import ModelShape, read_model_shape
from planning.memory.estimate import MemoryEstimate, estimate_gpu_memory
from planning.training_arguments import render_arguments
from planning.weights import Weights
from stack_configs.settings.training_runs import TrainingRunSettings

MODELS: Mapping[str, Mapping[str, Any]] = json.loads(
    Path(__file__).with_name("models.json").read_text(encoding="utf-8")
)
"""Each model's own `config.json`, as far as shapes and precision go."""


def shape_of(model: str) -> ModelShape:
    """The shape of one of these models."""
    shape = read_model_shape(MODELS[model])
    if shape is None:
        raise ValueError(f"models.json does not tell the shape of {model}")
    return shape


def estimate_alone(run: TrainingRunSettings, shape: ModelShape) -> MemoryEstimate:
    """What a run needs on one GPU."""
    estimate = estimate_gpu_memory(run, shape, processes=1)
    if estimate is None:
        raise AssertionError("one process shares with nobody")
    return estimate


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run of one model."""

    name: str
    model: str
    run: TrainingRunSettings

    @property
    def configuration(self) -> Mapping[str, Any]:
        """The model's `config.json`."""
        return MODELS[self.model]

    @property
    def estimate(self) -> MemoryEstimate:
        """What the stack tells of it in preview."""
        return estimate_alone(self.run, shape_of(self.model))

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What LLaMA-Factory is told."""
        weights = Weights(model=self.model)
        return render_arguments(self.run, template="llama3", weights=weights)


def case(name: str, model: str, **run: Any) -> Case:
    """A case, named after its model; its run as an operator writes it."""
    settings = {"datasets": ["rows"], "cutoff_len": 2048, "gradient_accumulation_steps": 2, **run}
    return Case(
        name=f"{model}: {name}", model=model, run=TrainingRunSettings.model_validate(settings)
    )


PURE = {"finetuning_type": "full", "pure_bf16": True}
KEPT = {"gradient_checkpointing": False}

TRACKED: Sequence[Case] = (
    case("LoRA", "llama-3-8b"),
    case("LoRA, long rows", "llama-3-8b", cutoff_len=16384),
    case("LoRA, batch of 4, rank 64", "llama-3-8b", per_device_train_batch_size=4, lora_rank=64),
    case("LoRA, no checkpointing", "llama-3-8b", **KEPT),
    case("LoRA, plain attention", "llama-3-8b", cutoff_len=4096, flash_attn="disabled"),
    case(
        "LoRA, plain attention, no checkpointing",
        "llama-3-8b",
        cutoff_len=1024,
        flash_attn="disabled",
        **KEPT,
    ),
    case("LoRA in fp32", "llama-3-8b", precision="fp32", **KEPT),
    case("DoRA", "llama-3-8b", use_dora=True),
    case("DoRA, no checkpointing", "llama-3-8b", use_dora=True, **KEPT),
    case("freeze", "llama-3-8b", finetuning_type="freeze"),
    case("full", "llama-3-8b", finetuning_type="full"),
    case("full, no checkpointing", "llama-3-8b", finetuning_type="full", cutoff_len=8192, **KEPT),
    case("full in pure bf16", "llama-3-8b", **PURE),
    case("reward model, LoRA", "llama-3-8b", stage="rm"),
    case("DPO, LoRA", "llama-3-8b", stage="dpo", cutoff_len=1024),
    case("DPO, full in pure bf16", "mistral-7b", stage="dpo", cutoff_len=1024, **PURE),
    case("full in pure bf16, no checkpointing", "mistral-7b", cutoff_len=4096, **PURE, **KEPT),
    case("LoRA, batch of 2", "qwen2.5-7b", cutoff_len=4096, per_device_train_batch_size=2),
    case("LoRA, no checkpointing", "qwen2.5-7b", **KEPT),
    case("LoRA", "gemma-7b", cutoff_len=4096),
    case("LoRA, no checkpointing", "gemma-7b", **KEPT),
    case("LoRA, no checkpointing", "phi-3-mini", **KEPT),
    case(
        "LoRA of q and v, batch of 8",
        "llama-2-7b",
        cutoff_len=512,
        lora_target="q_proj,v_proj",
        per_device_train_batch_size=8,
        **KEPT,
    ),
)

MEASURED: Sequence[Case] = tuple(
    # Rows of full length, as pre-training packs them: forward, backward and step are those of SFT.
    case(name, model, stage="pt", **run)
    for name, model, run in (
        ("LoRA", "llama-3-8b", {}),
        ("LoRA, long rows", "llama-3-8b", {"cutoff_len": 16384}),
        ("LoRA, no checkpointing", "llama-3-8b", KEPT),
        ("LoRA, plain attention", "llama-3-8b", {"cutoff_len": 4096, "flash_attn": "disabled"}),
        ("DoRA, no checkpointing", "llama-3-8b", {"use_dora": True, **KEPT}),
        ("freeze", "llama-3-8b", {"finetuning_type": "freeze"}),
        ("QLoRA, 4 bits", "llama-3-8b", {"quantization_bit": 4}),
        ("QLoRA, 8 bits", "llama-3-8b", {"quantization_bit": 8}),
        ("LoRA, no checkpointing", "qwen2.5-7b", KEPT),
        ("LoRA", "gemma-7b", {"cutoff_len": 4096}),
        ("full in pure bf16", "phi-3-mini", PURE),
        ("full", "phi-3-mini", {"finetuning_type": "full"}),
    )
)
