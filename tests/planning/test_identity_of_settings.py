"""Identity apart from transport: which work each setting makes anew, and which it leaves alone.

One row for every setting. What comes after the step that a row names is made anew with it.
"""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from plan.host import Gpu, HostFacts, ModelFolderFacts
from plan.owner import Owner
from plan.pipeline import ModelPlan, PipelinePlan
from planning import recipes, training_run
from planning.advice.advice import find_advice
from planning.host import ask_about_host
from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import parse_settings
from stack_configs.settings.reverse_proxy import CERTIFICATE
from stack_configs.settings.root import Settings
from tests.planning.conftest import DOCUMENT

OWNER = Owner(stack="test")
STEPS = (
    *("base-model", "training-run", "merge", "gguf-conversion"),
    *("importance-matrix", "quantization", "ollama-model"),
)


class Reach(StrEnum):
    """The first of a model's steps that a change makes anew, or what else it changes."""

    BASE_MODEL = "base-model"
    TRAINING = "training-run"
    MERGE = "merge"
    GGUF = "gguf-conversion"
    MATRIX = "importance-matrix"
    QUANTIZATION = "quantization"
    SERVED = "ollama-model"
    TRANSPORT = "the plan, and none of its work"
    QUESTIONS = "what is asked of the host"
    ADVICE = "what is worth a warning"
    LOOK = "whether the host is looked at"


@dataclass(frozen=True)
class Row:
    """A value other than the base document's, and how far it reaches."""

    value: Any
    reach: Reach
    given: Mapping[str, Any] = field(default_factory=dict)
    """What must be there before, by path."""
    along: Mapping[str, Any] = field(default_factory=dict)
    """What a settings file would have to change with it, by path."""
    at: str = ""
    """Another entry than the first of each list."""


BASE_MODEL, TRAINING, MERGE = Reach.BASE_MODEL, Reach.TRAINING, Reach.MERGE
GGUF, SERVED, TRANSPORT = Reach.GGUF, Reach.SERVED, Reach.TRANSPORT

RUN = "models[].training_runs[]"
GENERATED = "models[].base_model.generate"
OLLAMA = "models[].ollama_model"
ON_GPUS = {"host.hardware": "cuda"}
EVALUATION = f"{OLLAMA}.evaluation"
TOOL = {"name": "look_up", "description": "Looks up.", "parameters": {"type": "object"}}
TOOLS = [TOOL, TOOL | {"name": "count"}]
CALL_QUESTION = {
    "prompt": "Look it up.",
    "tools": TOOLS,
    "expect_tool_call": {"name": "look_up", "arguments": {"word": "one"}},
}
EVALUATED = {
    EVALUATION: {
        "rows": [{"prompt": "What is a merge?", "expect": "one"}],
        "measures": {"exact": {}},
    }
}
JUDGED = {
    EVALUATION: EVALUATED[EVALUATION]
    | {"measures": {"judge": {"url": "https://judge.example.org/v1", "model": "large"}}}
}
TOOL_TAUGHT = {
    "datasets[].file": "wide.json",
    "datasets[].columns": {"tools": "functions"},
    f"{OLLAMA}.smoke_prompts": [CALL_QUESTION],
}
CALL_ASKED = TOOL_TAUGHT | {EVALUATION: {"rows": [CALL_QUESTION], "measures": {"tool_call": {}}}}
PUBLISHED = {"registry.host": "registry.example.org", f"{OLLAMA}.publish": "team/guide"}
CERTIFIED = {"reverse_proxy.certificate": "proxy.pem"}
PROXIED = {"reverse_proxy": {"enabled": True, "certificate": "proxy.pem"}}
FROM_HUB = {"models[].base_model": {"hub": "a/b-1B"}}
REPORTS = {
    "trackers.mlflow_url": "https://other.example.org",
    "models[].training_runs[].report_to": ["wandb", "swanlab", "mlflow"],
}
QUANTIZED_BY_OLLAMA = {"models[].gguf_conversion": {"quantization": "q4_k_m"}}
WIDE = {"datasets[].file": "wide.json"}
TALKS = {"datasets[].file": "wide.json", "datasets[].formatting": "sharegpt"}
# Either role may take an odd turn, and either an even one: the rows stay in turn.
ROLES = TALKS | {"datasets[].tags": {"observation_tag": "human", "function_tag": "gpt"}}
SEEN = WIDE | {"datasets[].columns": {"images": "pictures"}, "datasets[].media_dir": "media"}
# A generated model needs a file, and the neighbour has but this one data set.
ON_A_HUB = {"datasets[].file": None, "models[1].base_model": {"hub": "a/b-1B"}}

ROWS: dict[str, Row] = {
    "host.engine": Row("ssh://user@gpu-box", TRANSPORT),
    "host.check": Row("plan_only", Reach.LOOK),
    "host.hardware": Row("rocm", BASE_MODEL, given=ON_GPUS),
    "host.gpu.count": Row(2, TRAINING, given=ON_GPUS),
    "host.gpu.memory_gb": Row(1, Reach.ADVICE, given=ON_GPUS | FROM_HUB),
    "host.gpu.while_training": Row("share", TRANSPORT, given=ON_GPUS),
    "host.cluster.nodes": Row(3, TRAINING),
    "host.cluster.rank": Row(1, TRANSPORT),
    "host.cluster.master_address": Row("10.0.0.2", TRANSPORT),
    "host.cluster.master_port": Row(29600, TRANSPORT),
    "host.minimum.cpu_cores": Row(3, Reach.QUESTIONS),
    "host.minimum.memory_gb": Row(3, Reach.QUESTIONS),
    "host.minimum.disk_gb": Row(3, Reach.QUESTIONS),
    "host.shm_size_gb": Row(3, TRANSPORT),
    "host.ipc": Row("host", TRANSPORT),
    "host.limits.memory_gb": Row(8, TRANSPORT),
    "host.limits.processes": Row(512, TRANSPORT),
    "images.builder": Row("classic", TRANSPORT),
    "images.llamafactory.image": Row("acme/factory:1", BASE_MODEL),
    "images.llamafactory.base_image": Row("acme/base:1", BASE_MODEL),
    "images.llamafactory.version": Row("0.9.4", BASE_MODEL),
    "images.llamafactory.source": Row(f"git+https://example.org/f@{'b' * 40}", BASE_MODEL),
    "images.llamafactory.dockerfile": Row("factory/Dockerfile", BASE_MODEL),
    # What a run needs is in the run's identity; what lies beside it in the image is not.
    "images.llamafactory.extras": Row(["deepspeed"], TRANSPORT),
    "images.converter.image": Row("acme/converter:1", GGUF),
    "images.converter.base_image": Row("acme/base:1", GGUF),
    "images.ollama.image": Row("acme/ollama:1", SERVED, given=QUANTIZED_BY_OLLAMA),
    "images.ollama.base_image": Row("acme/base:1", TRANSPORT, given={"images.ollama.build": True}),
    "images.ollama.version": Row("0.17.5", SERVED, given=QUANTIZED_BY_OLLAMA),
    "images.ollama.build": Row(True, TRANSPORT),
    "images.mirrors.registry": Row("mirror.example.org", TRANSPORT),
    "images.mirrors.python_index": Row("https://pypi.example.org/simple", TRANSPORT),
    "images.mirrors.apt": Row("http://apt.example.org", TRANSPORT),
    "images.mirrors.model_hub": Row("https://hub.example.org", TRANSPORT, given=FROM_HUB),
    "images.mirrors.modelscope": Row(
        "https://www.modelscope.ai",
        TRANSPORT,
        given={"models[].base_model": {"modelscope": "a/b-1B"}},
    ),
    "images.mirrors.proxy": Row("http://proxy.example.org:3128", TRANSPORT, given=FROM_HUB),
    "images.mirrors.no_proxy": Row(["example.org"], TRANSPORT, given=FROM_HUB),
    "trackers.project": Row("all", TRANSPORT, given=REPORTS),
    "trackers.offline": Row(True, TRANSPORT, given=REPORTS),
    "trackers.wandb_url": Row("https://wandb.example.org", TRANSPORT, given=REPORTS),
    "trackers.swanlab_url": Row("https://swanlab.example.org", TRANSPORT, given=REPORTS),
    "trackers.mlflow_url": Row("https://mlflow.example.org", TRANSPORT, given=REPORTS),
    "tensorboard.enabled": Row(True, TRANSPORT),
    "tensorboard.port": Row(6007, TRANSPORT, given={"tensorboard.enabled": True}),
    "tensorboard.bind_address": Row("::1", TRANSPORT, given={"tensorboard.enabled": True}),
    "metrics.enabled": Row(True, TRANSPORT),
    "metrics.port": Row(9465, TRANSPORT, given={"metrics.enabled": True}),
    "metrics.bind_address": Row("::1", TRANSPORT, given={"metrics.enabled": True}),
    "images.metrics.image": Row("own/metrics:1", TRANSPORT, given={"metrics.enabled": True}),
    "images.metrics.base_image": Row("debian:13-slim", TRANSPORT, given={"metrics.enabled": True}),
    "reverse_proxy.enabled": Row(True, TRANSPORT, given=CERTIFIED),
    "reverse_proxy.bind_address": Row("::1", TRANSPORT, given=PROXIED),
    "reverse_proxy.ports.ollama_server": Row(443, TRANSPORT, given=PROXIED),
    "reverse_proxy.ports.board": Row(444, TRANSPORT, given=PROXIED),
    "reverse_proxy.ports.api": Row(445, TRANSPORT, given=PROXIED),
    "reverse_proxy.ports.tensorboard": Row(
        446, TRANSPORT, given=PROXIED | {"tensorboard.enabled": True}
    ),
    "reverse_proxy.ports.metrics": Row(447, TRANSPORT, given=PROXIED | {"metrics.enabled": True}),
    "reverse_proxy.username": Row("team", TRANSPORT, given=PROXIED),
    "reverse_proxy.certificate": Row("other.pem", TRANSPORT, given=PROXIED),
    "images.reverse_proxy.image": Row("own/proxy:1", TRANSPORT, given=PROXIED),
    "images.reverse_proxy.base_image": Row("debian:13-slim", TRANSPORT, given=PROXIED),
    "images.certificate_authority": Row("own.pem", TRANSPORT),
    "datasets[].name": Row(
        "renamed",
        TRANSPORT,
        along={
            f"models[{model}].training_runs[{run}].datasets": ["renamed"]
            for model, run in ((0, 0), (0, 3), (1, 0))
        },
    ),
    "datasets[].file": Row("other.json", BASE_MODEL),
    "datasets[].hf_hub_url": Row(
        "c/d", TRAINING, given=ON_A_HUB | {"datasets[].hf_hub_url": "a/b"}
    ),
    "datasets[].ms_hub_url": Row(
        "c/d", TRAINING, given=ON_A_HUB | {"datasets[].ms_hub_url": "a/b"}
    ),
    "datasets[].subset": Row("x", TRAINING, given=ON_A_HUB | {"datasets[].hf_hub_url": "a/b"}),
    "datasets[].folder": Row("x", TRAINING, given=ON_A_HUB | {"datasets[].hf_hub_url": "a/b"}),
    "datasets[].split": Row("train[:50%]", TRAINING),
    "datasets[].num_samples": Row(5, TRAINING),
    "datasets[].media_dir": Row("other-media", TRAINING, given=SEEN),
    **{
        f"datasets[].columns.{kind}": Row("films", TRAINING, given=SEEN)
        for kind in ("images", "videos", "audios")
    },
    "datasets[].formatting": Row("sharegpt", TRAINING, given=WIDE),
    # A run's stage says the same, and the one is refused without the other: on unused data.
    "datasets[].ranking": Row(True, TRANSPORT, at="datasets[1].ranking"),
    "datasets[].columns.prompt": Row("question", TRAINING, given=WIDE),
    "datasets[].columns.query": Row("context", TRAINING, given=WIDE),
    "datasets[].columns.response": Row("answer", TRAINING, given=WIDE),
    "datasets[].columns.history": Row("past", TRAINING, given=WIDE),
    "datasets[].columns.system": Row("persona", TRAINING, given=WIDE),
    "datasets[].columns.tools": Row("functions", TRAINING, given=WIDE),
    "datasets[].columns.messages": Row("talk", TRAINING, given=TALKS),
    "datasets[].columns.chosen": Row("output", TRAINING, at="datasets[2].columns.chosen"),
    "datasets[].columns.rejected": Row("worse", TRAINING, at="datasets[2].columns.rejected"),
    "datasets[].columns.kto_tag": Row(
        "good",
        TRAINING,
        given={"models[].training_runs": [{"stage": "kto", "datasets": ["judged"]}]},
        at="datasets[3].columns.kto_tag",
    ),
    "datasets[].tags.role_tag": Row("role", TRAINING, given=TALKS),
    "datasets[].tags.content_tag": Row("content", TRAINING, given=TALKS),
    "datasets[].tags.user_tag": Row("user", TRAINING, given=ROLES),
    "datasets[].tags.assistant_tag": Row("assistant", TRAINING, given=ROLES),
    "datasets[].tags.observation_tag": Row("tool", TRAINING, given=TALKS),
    "datasets[].tags.function_tag": Row("call", TRAINING, given=TALKS),
    "datasets[].tags.system_tag": Row("persona", TRAINING, given=TALKS),
    "models[].name": Row("renamed", TRANSPORT),
    # The tokens of the template are in the generated model.
    "models[].template": Row("chatml", BASE_MODEL),
    "models[].base_model.hub": Row("a/c-1B", BASE_MODEL, given=FROM_HUB),
    "models[].base_model.modelscope": Row(
        "a/c-1B", BASE_MODEL, given={"models[].base_model": {"modelscope": "a/b-1B"}}
    ),
    "models[].base_model.revision": Row("v2", BASE_MODEL, given=FROM_HUB),
    "models[].base_model.path": Row(
        "/app/output/b", TRAINING, given={"models[].base_model": {"path": "/app/output/a"}}
    ),
    "models[].base_model.parameters_b": Row(70, Reach.ADVICE, given=FROM_HUB),
    f"{GENERATED}.family": Row("llama-3", BASE_MODEL),
    f"{GENERATED}.seed": Row(1, BASE_MODEL),
    f"{GENERATED}.hidden_size": Row(128, BASE_MODEL),
    f"{GENERATED}.intermediate_size": Row(256, BASE_MODEL),
    f"{GENERATED}.layers": Row(3, BASE_MODEL),
    f"{GENERATED}.attention_heads": Row(8, BASE_MODEL),
    f"{GENERATED}.vocabulary_size": Row(500, BASE_MODEL),
    "models[].served_run": Row("sft", Reach.MERGE),
    f"{RUN}.name": Row("first", TRANSPORT),
    f"{RUN}.stage": Row("pt", TRAINING),
    f"{RUN}.finetuning_type": Row(
        "full", TRAINING, given={"models[].training_runs": [{"datasets": ["alpaca"]}]}
    ),
    # More data: the tokenizer of a generated model is made from it too.
    f"{RUN}.datasets": Row(["alpaca", "spare"], BASE_MODEL),
    # What a run is judged by at its end makes no other model.
    f"{RUN}.eval_datasets": Row(["spare"], TRANSPORT),
    f"{RUN}.reward_model": Row("second", TRAINING, at="models[0].training_runs[3].reward_model"),
    # The name alone trains nothing; the run that it names does.
    f"{RUN}.starts_from": Row("base-model", TRAINING, at="models[0].training_runs[3].starts_from"),
    f"{RUN}.cutoff_len": Row(99, TRAINING),
    f"{RUN}.max_samples": Row(99, TRAINING),
    f"{RUN}.num_train_epochs": Row(9.5, TRAINING),
    f"{RUN}.max_steps": Row(99, TRAINING),
    f"{RUN}.learning_rate": Row(0.5, TRAINING),
    f"{RUN}.lr_scheduler_type": Row("linear", TRAINING),
    f"{RUN}.warmup_steps": Row(9, TRAINING),
    f"{RUN}.per_device_train_batch_size": Row(9, TRAINING),
    f"{RUN}.gradient_accumulation_steps": Row(9, TRAINING),
    f"{RUN}.precision": Row("fp32", TRAINING),
    f"{RUN}.gradient_checkpointing": Row(False, TRAINING),
    f"{RUN}.seed": Row(9, TRAINING),
    f"{RUN}.logging_steps": Row(9, TRANSPORT),
    f"{RUN}.report_to": Row(["tensorboard", "wandb"], TRANSPORT),
    f"{RUN}.save_steps": Row(9, TRANSPORT),
    f"{RUN}.save_total_limit": Row(9, TRANSPORT),
    f"{RUN}.lora_rank": Row(9, TRAINING),
    f"{RUN}.lora_alpha": Row(9, TRAINING),
    f"{RUN}.lora_dropout": Row(0.5, TRAINING),
    f"{RUN}.lora_target": Row("q_proj", TRAINING),
    f"{RUN}.additional_target": Row(["lm_head"], TRAINING),
    f"{RUN}.quantization_bit": Row(4, TRAINING, given=ON_GPUS),
    f"{RUN}.deepspeed": Row("zero3", TRAINING, given=ON_GPUS),
    f"{RUN}.fsdp": Row("full_shard", TRAINING, given=ON_GPUS),
    f"{RUN}.offload": Row("optimizer", TRAINING, given=ON_GPUS | {f"{RUN}.deepspeed": "zero2"}),
    f"{RUN}.use_unsloth": Row(True, TRAINING, given=ON_GPUS),
    f"{RUN}.flash_attn": Row("sdpa", TRAINING),
    f"{RUN}.threads": Row(9, TRANSPORT),
    f"{RUN}.deadline_hours": Row(9, TRANSPORT),
    f"{RUN}.arguments": Row({"weight_decay": 0.5}, TRAINING),
    "models[].merge.export_size": Row(9, TRANSPORT),
    "models[].merge.export_device": Row("auto", TRANSPORT),
    "models[].gguf_conversion.quantization": Row("Q5_K_M", Reach.QUANTIZATION),
    "models[].gguf_conversion.importance_matrix": Row(False, Reach.MATRIX),
    "models[].gguf_conversion.calibration_tokens": Row(4096, Reach.MATRIX),
    f"{OLLAMA}.chat_parity": Row("reported", SERVED),
    f"{OLLAMA}.name": Row("other", SERVED),
    f"{OLLAMA}.system": Row("Be brief.", SERVED),
    f"{OLLAMA}.parameters.stop": Row(["User:"], SERVED),
    f"{OLLAMA}.parameters.use_mmap": Row(False, SERVED),
    # Asked before a model is served: what else it is to know must be asked of it.
    f"{OLLAMA}.smoke_prompts[].prompt": Row("Another?", SERVED),
    f"{OLLAMA}.smoke_prompts[].expect": Row("other", SERVED),
    f"{OLLAMA}.smoke_prompts[].tools": Row(TOOLS[::-1], SERVED, given=TOOL_TAUGHT),
    f"{OLLAMA}.smoke_prompts[].expect_tool_call.name": Row("count", SERVED, given=TOOL_TAUGHT),
    f"{OLLAMA}.smoke_prompts[].expect_tool_call.arguments": Row({}, SERVED, given=TOOL_TAUGHT),
    f"{OLLAMA}.keep": Row(3, TRANSPORT),
    "models[].keep": Row(3, TRANSPORT),
    f"{OLLAMA}.rollback_to": Row("0123456789abcdef", TRANSPORT),
    # Another evaluation is asked of the model that serves: it makes no other model.
    f"{EVALUATION}.dataset": Row("judged", TRANSPORT, given=EVALUATED),
    f"{EVALUATION}.sample": Row(
        1, TRANSPORT, given=EVALUATED, along={f"{EVALUATION}.dataset": "judged"}
    ),
    f"{EVALUATION}.max_tokens": Row(9, TRANSPORT, given=EVALUATED),
    f"{EVALUATION}.base": Row(True, TRANSPORT, given=EVALUATED),
    f"{EVALUATION}.rows[].prompt": Row("Another?", TRANSPORT, given=EVALUATED),
    f"{EVALUATION}.rows[].expect": Row("other", TRANSPORT, given=EVALUATED),
    f"{EVALUATION}.rows[].system": Row("Be brief.", TRANSPORT, given=EVALUATED),
    f"{EVALUATION}.rows[].tools": Row(TOOLS[::-1], TRANSPORT, given=CALL_ASKED),
    f"{EVALUATION}.rows[].expect_tool_call.name": Row("count", TRANSPORT, given=CALL_ASKED),
    f"{EVALUATION}.rows[].expect_tool_call.arguments": Row({}, TRANSPORT, given=CALL_ASKED),
    **{
        f"{EVALUATION}.measures.{measure}.{key}": Row(0.5, TRANSPORT, given=EVALUATED)
        for measure in ("exact", "contains", "f1", "rouge_l")
        for key in ("required", "margin")
    },
    **{
        f"{EVALUATION}.measures.{measure}.{key}": Row(0.5, TRANSPORT, given=given)
        for measure, given in (
            ("valid_json", EVALUATED),
            ("tool_call", CALL_ASKED),
            ("judge", JUDGED),
        )
        for key in ("required", "margin")
    },
    f"{EVALUATION}.measures.valid_json.json_schema": Row(
        {"type": "object"}, TRANSPORT, given=EVALUATED
    ),
    f"{EVALUATION}.measures.judge.url": Row("https://other.example.org", TRANSPORT, given=JUDGED),
    f"{EVALUATION}.measures.judge.model": Row("larger", TRANSPORT, given=JUDGED),
    f"{OLLAMA}.publish": Row("team/guide:v2", TRANSPORT, given=PUBLISHED),
    "registry.host": Row("registry.example.org:5000", TRANSPORT, given=PUBLISHED),
    "registry.username": Row("raven", TRANSPORT, given=PUBLISHED),
    "registry.insecure": Row(True, TRANSPORT, given=PUBLISHED),
    "ollama_server.port": Row(9999, TRANSPORT),
    "ollama_server.bind_address": Row("10.0.0.1", TRANSPORT),
    "ollama_server.environment": Row({"OLLAMA_KEEP_ALIVE": "1h"}, TRANSPORT),
    "board.enabled": Row(False, TRANSPORT),
    "board.port": Row(9999, TRANSPORT),
    "board.bind_address": Row("10.0.0.1", TRANSPORT),
    "board.share": Row(True, TRANSPORT),
    "api.enabled": Row(False, TRANSPORT),
    "api.port": Row(9999, TRANSPORT),
    "api.bind_address": Row("10.0.0.1", TRANSPORT),
    "api.model": Row("guide", TRANSPORT),
    **{
        f"volumes.{role}.{key}": Row(value, TRANSPORT)
        for role, is_retained in (
            ("data", False),
            ("output", True),
            ("hf_cache", True),
            ("ollama", False),
        )
        for key, value in (("retain", not is_retained), ("host_path", "/srv/here"))
    },
    **{
        f"{OLLAMA}.parameters.{name}": Row(1, SERVED)
        for name in (
            *("temperature", "top_k", "top_p", "min_p", "typical_p", "repeat_last_n"),
            *("repeat_penalty", "presence_penalty", "frequency_penalty", "seed", "num_predict"),
            *("num_keep", "num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread"),
        )
    },
}

CALL = '{"name": "l", "arguments": {}}'
"""An answer, and a call of a tool."""
TURNS = [
    {"from": "human", "value": "j", "role": "human", "content": "k"},
    {"from": "gpt", "value": CALL, "role": "gpt", "content": CALL},
]
WIDE_ROW = {
    **{"instruction": "a", "input": "b", "output": "c"},
    **{"question": "d", "context": "e", "answer": "f"},
    **{"past": [["g", "h"]], "persona": "i", "functions": "[]"},
    "conversations": TURNS,
    "talk": TURNS,
    **{"pictures": None, "films": None},
}
"""It can be read in every way that a row of the table asks for."""
ANSWERS = {"instruction": "n", "output": "o", "chosen": "p", "rejected": "q", "worse": "r"}
FILES: dict[str, dict[str, Any]] = {
    "other.json": {"instruction": "Other?", "output": "Yes."},
    "wide.json": WIDE_ROW,
    "spare.json": ANSWERS,
    "ranked.json": ANSWERS,
    "judged.json": {"instruction": "s", "output": "t", "true": True, "good": False},
}
CHAIN: list[dict[str, Any]] = [
    {"name": "sft", "datasets": ["alpaca"], "lora_alpha": 8, "max_steps": 9},
    {"name": "judge", "stage": "rm", "datasets": ["ranked"]},
    {"name": "second", "stage": "rm", "datasets": ["ranked"], "seed": 7},
    {"name": "ppo", "stage": "ppo", "reward_model": "judge", "datasets": ["alpaca"]},
]

Document = dict[str, Any]
FACTS = HostFacts(memory_gb=64)


@pytest.fixture
def base(project: Path, directory: Path) -> Document:
    """Two models, one of them with every step, and every service."""
    (directory / "own.pem").write_text("PEM")
    for name in ("proxy.pem", "other.pem"):
        (directory / name).write_text(f"{CERTIFICATE}\n{name}\n")
    (directory / "factory").mkdir()
    (directory / "factory/Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n")
    for folder in ("media", "other-media"):
        (directory / folder).mkdir()
    (directory / "other-media/a.png").write_bytes(b"picture")
    for name, row in FILES.items():
        (directory / name).write_text(json.dumps([row]))
    document = copy.deepcopy(DOCUMENT)
    document["datasets"].append(
        {"name": "judged", "file": "judged.json", "columns": {"kto_tag": "true"}}
    )
    (guide,) = document["models"]
    guide["training_runs"] = copy.deepcopy(CHAIN)
    guide["gguf_conversion"] = {"quantization": "q4_k_m", "importance_matrix": True}
    guide["ollama_model"]["name"] = "guide"
    document["models"].append(copy.deepcopy(DOCUMENT["models"][0]) | {"name": "neighbour"})
    document["api"] = {"enabled": True, "model": "neighbour"}
    document["host"]["cluster"] = {"nodes": 2, "rank": 0, "master_address": "10.0.0.1"}
    return document


@pytest.fixture
def load(directory: Path) -> Callable[[Document], Settings]:
    return lambda document: parse_settings(document, directory=directory, source="test")


@pytest.fixture
def plan_of(load: Callable[[Document], Settings]) -> Callable[..., PipelinePlan]:
    def plan(document: Document, facts: HostFacts = FACTS) -> PipelinePlan:
        return plan_pipeline(load(document), owner=OWNER, facts=facts)

    return plan


def leaves(section: type[BaseModel], path: str = "") -> Iterator[str]:
    """Every setting that there is, by its path; `[]` stands for the entries of a list."""
    for name, described in section.model_fields.items():
        inner, entries = _section(described.annotation)
        if inner is None:
            yield f"{path}{name}"
        else:
            yield from leaves(inner, f"{path}{name}{entries}.")


def _section(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    for part in get_args(annotation):
        inner, entries = _section(part)
        if inner is not None:
            return inner, "[]" if get_origin(annotation) is tuple else entries
    return None, ""


def put(document: Document, path: str, value: Any) -> None:
    """Set a value at `a[1].b[].c`; `[]` is the first entry."""
    *parents, last = path.replace("[]", "[0]").replace("[", ".").replace("]", "").split(".")
    section: Any = document
    for part in parents:
        section = section[int(part)] if part.isdigit() else section.setdefault(part, {})
    section[last] = copy.deepcopy(value)


def identities(model: ModelPlan) -> dict[str, list[str]]:
    """The identities of a model's work, by the kind of step; the base beside it is none."""
    found: dict[str, list[str]] = {noun: [] for noun in STEPS}
    for step in model.steps:
        if step.noun in found and not step.name.endswith("-base-gguf-conversion"):
            found[step.noun].append(step.identity)
    found["ollama-model"].append(model.ollama_model.identity)
    return found


def made_anew(before: ModelPlan, after: ModelPlan) -> list[str]:
    """Kinds of steps whose work is other work."""
    was, now = identities(before), identities(after)
    return [noun for noun in STEPS if was[noun] != now[noun]]


def reached(reach: Reach) -> list[str]:
    """Kinds of steps whose work a change makes anew."""
    return list(STEPS[STEPS.index(reach) :]) if reach in STEPS else []


def test_every_setting_has_a_row() -> None:
    assert sorted(leaves(Settings)) == sorted(ROWS)


@pytest.mark.parametrize("path", ROWS)
def test_a_changed_setting(
    base: Document,
    load: Callable[[Document], Settings],
    plan_of: Callable[..., PipelinePlan],
    path: str,
) -> None:
    row = ROWS[path]
    for key, value in row.given.items():
        put(base, key, value)
    settings, before = load(base), plan_of(base)
    for key, value in {row.at or path: row.value, **row.along}.items():
        put(base, key, value)
    changed, after = load(base), plan_of(base)

    assert made_anew(before.models[0], after.models[0]) == reached(row.reach)
    if path.startswith("models[]"):
        assert made_anew(before.models[1], after.models[1]) == []
    if row.reach in (*STEPS, TRANSPORT):
        assert after != before
        return
    assert after == before
    asked, asks = ask_about_host(settings, OWNER), ask_about_host(changed, OWNER)
    advised, advises = find_advice(settings, FACTS), find_advice(changed, FACTS)
    assert (asked != asks) == (row.reach is Reach.QUESTIONS)
    assert (advised != advises) == (row.reach is Reach.ADVICE)
    assert changed != settings


class TestWhatIsFoundOnTheHost:
    """What has a name and may change under it counts by its content."""

    @pytest.mark.parametrize(
        ("given", "facts", "reach"),
        [
            (FROM_HUB, {"hub_commits": {"a/b-1B@main": "c0ffee"}}, BASE_MODEL),
            (
                {"models[].base_model": {"modelscope": "a/b-1B"}},
                {"hub_commits": {"modelscope:a/b-1B@master": "c0ffee"}},
                BASE_MODEL,
            ),
            (
                {"models[].base_model": {"path": "/app/output/a"}},
                {"model_folders": {"/app/output/a": ModelFolderFacts(digest="c0ffee")}},
                TRAINING,
            ),
            (
                {"images.llamafactory.image": "acme/factory:1"},
                {"image_digests": {"acme/factory:1": "sha256:c0ffee"}},
                BASE_MODEL,
            ),
            (
                {"images.converter.image": "acme/converter:1"},
                {"image_digests": {"acme/converter:1": "sha256:c0ffee"}},
                GGUF,
            ),
            (ON_GPUS, {"gpus": (Gpu(memory_gb=24), Gpu(memory_gb=24))}, TRAINING),
        ],
    )
    def test_other_content_under_the_same_name(
        self,
        base: Document,
        plan_of: Callable[..., PipelinePlan],
        given: Document,
        facts: dict[str, Any],
        reach: Reach,
    ) -> None:
        for key, value in given.items():
            put(base, key, value)
        before, after = plan_of(base), plan_of(base, replace(FACTS, **facts))
        assert made_anew(before.models[0], after.models[0]) == reached(reach)

    def test_the_same_commit_under_another_name(
        self, base: Document, plan_of: Callable[..., PipelinePlan]
    ) -> None:
        commits = {"a/b-1B@main": "c0ffee", "a/b-1B@v2": "c0ffee"}
        facts = replace(FACTS, hub_commits=commits)
        put(base, "models[].base_model", {"hub": "a/b-1B"})
        before = plan_of(base, facts)
        put(base, "models[].base_model.revision", "v2")
        assert made_anew(before.models[0], plan_of(base, facts).models[0]) == []

    def test_a_pulled_image_is_the_same_from_a_mirror(
        self, base: Document, plan_of: Callable[..., PipelinePlan]
    ) -> None:
        put(base, "images.llamafactory.image", "acme/factory:1")
        names = ("acme/factory:1", "mirror.example.org/acme/factory:1")
        facts = replace(FACTS, image_digests=dict.fromkeys(names, "sha256:c0ffee"))
        before, unseen = plan_of(base, facts), plan_of(base)
        put(base, "images.mirrors.registry", "mirror.example.org")
        assert made_anew(before.models[0], plan_of(base, facts).models[0]) == []
        # And where nobody could tell the digest, by the name that the settings give.
        assert made_anew(unseen.models[0], plan_of(base).models[0]) == []

    def test_a_commit_is_the_same_from_another_address(
        self, base: Document, plan_of: Callable[..., PipelinePlan]
    ) -> None:
        put(base, "images.llamafactory.source", f"git+https://a.example/f@{'b' * 40}")
        before = plan_of(base)
        put(base, "images.llamafactory.source", f"git+http://mirror/f@{'b' * 40}")
        assert made_anew(before.models[0], plan_of(base).models[0]) == []

    def test_a_dockerfile_of_ones_own_counts_with_all_that_lies_beside_it(
        self, base: Document, plan_of: Callable[..., PipelinePlan], directory: Path
    ) -> None:
        put(base, "images.llamafactory.dockerfile", "factory/Dockerfile")
        before = plan_of(base)
        (directory / "factory/patch.py").write_text("# other")
        after = plan_of(base)
        assert made_anew(before.models[0], after.models[0]) == reached(BASE_MODEL)
        assert after.images.llamafactory.reference != before.images.llamafactory.reference

    def test_as_many_gpus_counted_or_declared(
        self, base: Document, plan_of: Callable[..., PipelinePlan]
    ) -> None:
        put(base, "host.hardware", "cuda")
        counted = plan_of(base, replace(FACTS, gpus=(Gpu(memory_gb=24),) * 2))
        put(base, "host.gpu.count", 2)
        assert made_anew(counted.models[0], plan_of(base).models[0]) == []

    @pytest.mark.parametrize(
        "facts",
        [
            {"engine_id": "ABCD"},
            {"engine_version": "29.0"},
            {"cpu_cores": 64, "memory_gb": 512.0, "disk_free_gb": 900.0},
            {"runtimes": ("nvidia", "runc")},
            {"unchecked": ("free disk space",)},
        ],
    )
    def test_another_host_makes_no_other_model(
        self, base: Document, plan_of: Callable[..., PipelinePlan], facts: dict[str, Any]
    ) -> None:
        before, after = plan_of(base), plan_of(base, replace(FACTS, **facts))
        assert made_anew(before.models[0], after.models[0]) == []


class TestBuilds:
    @pytest.mark.parametrize(
        "file",
        [
            "llamafactory/Dockerfile.cpu",
            "llamafactory/Dockerfile.cuda",
            "llamafactory/requirements-cpu.lock",
            "llamafactory/build/install.sh",
            "converter/Dockerfile",
            "ollama/Dockerfile",
        ],
    )
    def test_a_comment_in_a_file_of_a_build_trains_nothing(
        self, base: Document, plan_of: Callable[..., PipelinePlan], project: Path, file: str
    ) -> None:
        put(base, "images.ollama.build", True)
        before = plan_of(base)
        (project / "images" / file).write_text("# a comment\n")
        after = plan_of(base)
        assert made_anew(before.models[0], after.models[0]) == []
        is_of_another_variant = file.endswith("Dockerfile.cuda")
        assert (after.images == before.images) == is_of_another_variant

    @pytest.mark.parametrize(("role", "reach"), [("llamafactory", BASE_MODEL), ("converter", GGUF)])
    def test_a_build_that_computes_otherwise_says_so_by_its_recipe(
        self,
        base: Document,
        plan_of: Callable[..., PipelinePlan],
        monkeypatch: pytest.MonkeyPatch,
        role: str,
        reach: Reach,
    ) -> None:
        before = plan_of(base)
        number = f"{role.upper()}_RECIPE"
        monkeypatch.setattr(recipes, number, getattr(recipes, number) + 1)
        assert made_anew(before.models[0], plan_of(base).models[0]) == reached(reach)

    @pytest.mark.parametrize(
        ("recipe", "reach"),
        [
            ("planning.base_model.RECIPE", BASE_MODEL),
            # Runs that come after it start from a merge.
            ("planning.merge.RECIPE", TRAINING),
            ("planning.merge.COMPLETION_RECIPE", TRAINING),
            ("planning.quantization.RECIPE", Reach.MATRIX),
        ],
    )
    def test_a_program_that_makes_something_else_says_so_by_its_recipe(
        self,
        base: Document,
        plan_of: Callable[..., PipelinePlan],
        monkeypatch: pytest.MonkeyPatch,
        recipe: str,
        reach: Reach,
    ) -> None:
        before = plan_of(base)
        monkeypatch.setattr(recipe, 99)
        assert made_anew(before.models[0], plan_of(base).models[0]) == reached(reach)


class TestRuns:
    @pytest.mark.parametrize(("stage", "reach"), [("zero2", TRAINING), (None, TRANSPORT)])
    def test_the_file_that_is_rendered_for_deepspeed_counts_where_it_is_read(
        self,
        base: Document,
        plan_of: Callable[..., PipelinePlan],
        monkeypatch: pytest.MonkeyPatch,
        stage: str | None,
        reach: Reach,
    ) -> None:
        put(base, "host.hardware", "cuda")
        put(base, "models[].training_runs[].deepspeed", stage)
        before = plan_of(base)
        monkeypatch.setattr(training_run, "deepspeed_config", lambda _: {"other": True})
        assert made_anew(before.models[0], plan_of(base).models[0]) == reached(reach)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"plot_loss": True},
            {"run_name": "tuesday"},
        ],
    )
    def test_what_is_told_of_a_training_makes_no_other_model(
        self, base: Document, plan_of: Callable[..., PipelinePlan], arguments: Document
    ) -> None:
        before = plan_of(base)
        put(base, f"{RUN}.arguments", arguments)
        after = plan_of(base)
        assert made_anew(before.models[0], after.models[0]) == []
        assert after != before

    def test_the_checkpoints_count_where_the_best_of_them_is_the_result(
        self, base: Document, plan_of: Callable[..., PipelinePlan]
    ) -> None:
        judged = {"val_size": 0.5, "eval_strategy": "steps", "eval_steps": 1}
        put(base, f"{RUN}.arguments", judged | {"load_best_model_at_end": True})
        before = plan_of(base)
        put(base, f"{RUN}.save_steps", 9)
        assert made_anew(before.models[0], plan_of(base).models[0]) == reached(TRAINING)

    @pytest.mark.parametrize(
        ("before", "after", "steps"),
        [
            # An evaluation in between draws random numbers, and its data may choose the best.
            ({}, {"eval_strategy": "epoch"}, True),
            ({"eval_strategy": "epoch"}, {"per_device_eval_batch_size": 2}, True),
            ({}, {"per_device_eval_batch_size": 2}, False),
            ({}, {"compute_accuracy": True}, False),
        ],
    )
    def test_how_a_run_is_judged_counts_where_it_is_judged_on_the_way(
        self,
        base: Document,
        plan_of: Callable[..., PipelinePlan],
        before: Document,
        after: Document,
        steps: bool,
    ) -> None:
        put(base, f"{RUN}.eval_datasets", ["spare"])
        put(base, f"{RUN}.arguments", before)
        first = plan_of(base)
        put(base, f"{RUN}.arguments", before | after)
        again = made_anew(first.models[0], plan_of(base).models[0])
        assert again == (reached(TRAINING) if steps else [])

    @pytest.mark.parametrize("strategy", ["no", "epoch"])
    def test_the_rows_that_judge_on_the_way_count(
        self, base: Document, plan_of: Callable[..., PipelinePlan], strategy: str
    ) -> None:
        put(base, f"{RUN}.arguments", {"eval_strategy": strategy})
        put(base, f"{RUN}.eval_datasets", ["spare"])
        first = plan_of(base)
        put(base, f"{RUN}.eval_datasets", ["alpaca"])
        again = made_anew(first.models[0], plan_of(base).models[0])
        assert again == ([] if strategy == "no" else reached(TRAINING))

    def test_the_order_of_a_runs_data_counts_and_that_of_the_declarations_does_not(
        self, base: Document, plan_of: Callable[..., PipelinePlan]
    ) -> None:
        put(base, "models[].base_model", {"hub": "a/b-1B"})
        put(base, f"{RUN}.datasets", ["alpaca", "spare"])
        before = plan_of(base)
        base["datasets"].reverse()
        assert made_anew(before.models[0], plan_of(base).models[0]) == []
        put(base, f"{RUN}.datasets", ["spare", "alpaca"])
        assert made_anew(before.models[0], plan_of(base).models[0]) == reached(TRAINING)


class TestNames:
    def test_a_judge_under_another_name_judges_alike(
        self, base: Document, plan_of: Callable[..., PipelinePlan]
    ) -> None:
        before = plan_of(base)
        put(base, "models[].training_runs[1].name", "critic")
        put(base, "models[].training_runs[3].reward_model", "critic")
        assert made_anew(before.models[0], plan_of(base).models[0]) == []

    def test_a_model_is_served_under_its_own_name_unless_it_has_another(
        self, base: Document, plan_of: Callable[..., PipelinePlan]
    ) -> None:
        before = plan_of(base)
        put(base, "models[1].name", "renamed")
        put(base, "api.model", "renamed")
        assert made_anew(before.models[1], plan_of(base).models[1]) == reached(SERVED)

    def test_a_model_at_another_place_in_the_list(
        self, base: Document, plan_of: Callable[..., PipelinePlan]
    ) -> None:
        before = plan_of(base)
        base["models"].reverse()
        neighbour, guide = plan_of(base).models
        assert made_anew(before.models[0], guide) == []
        assert made_anew(before.models[1], neighbour) == []

    def test_a_model_that_is_split_into_two_is_trained_once(
        self, base: Document, plan_of: Callable[..., PipelinePlan]
    ) -> None:
        twin = copy.deepcopy(base["models"][0]) | {"name": "twin"}
        twin["ollama_model"]["name"] = "guide:twin"
        base["models"].append(twin)
        guide, _, other = plan_of(base).models
        assert made_anew(guide, other) == reached(SERVED)

    def test_a_neighbour_that_needs_more_of_the_image(
        self, base: Document, plan_of: Callable[..., PipelinePlan]
    ) -> None:
        put(base, "host.hardware", "cuda")
        before = plan_of(base)
        put(base, "models[1].training_runs[0].deepspeed", "zero2")
        after = plan_of(base)
        assert after.images.llamafactory.reference != before.images.llamafactory.reference
        assert made_anew(before.models[0], after.models[0]) == []
