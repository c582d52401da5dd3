"""Every setting decides something: a change of any of them changes the plan."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from plan.host import HostFacts
from plan.owner import Owner
from plan.pipeline import PipelinePlan
from planning.advice.advice import find_advice
from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import parse_settings
from stack_configs.settings.root import Settings
from tests.planning.conftest import DOCUMENT

CHAIN = [
    {"name": "sft", "datasets": ["alpaca"], "lora_alpha": 8, "max_steps": 9},
    {"name": "judge", "stage": "rm", "datasets": ["ranked"]},
    {"name": "second", "stage": "rm", "datasets": ["ranked"], "seed": 7},
    {"name": "ppo", "stage": "ppo", "reward_model": "judge", "datasets": ["alpaca"]},
]
RUN = "models.0.training_runs.0"
GENERATED = "models.0.base_model.generate"
OLLAMA = "models.0.ollama_model"

CHANGES: dict[str, Any] = {
    "host.engine": "ssh://user@gpu-box",
    "host.check": "plan_only",
    "host.hardware": "rocm",
    "host.gpu.count": 2,
    "host.cluster.nodes": 3,
    "host.cluster.rank": 1,
    "host.cluster.master_address": "10.0.0.2",
    "host.cluster.master_port": 29600,
    "host.minimum.cpu_cores": 3,
    "host.minimum.memory_gb": 3,
    "host.minimum.disk_gb": 3,
    "host.shm_size_gb": 3,
    "images.builder": "classic",
    "images.llamafactory.image": "acme/factory:1",
    "images.llamafactory.base_image": "acme/base:1",
    "images.llamafactory.version": "0.9.4",
    "images.llamafactory.extras": ["deepspeed"],
    "images.converter.image": "acme/converter:1",
    "images.converter.base_image": "acme/base:1",
    "images.ollama.image": "acme/ollama:1",
    "images.ollama.base_image": "acme/base:1",
    "images.ollama.version": "0.17.5",
    "images.ollama.build": True,
    "images.mirrors.registry": "mirror.example.org",
    "images.mirrors.python_index": "https://pypi.example.org/simple",
    "images.mirrors.apt": "http://apt.example.org",
    "images.certificate_authority": "own.pem",
    "datasets.0.name": None,
    "datasets.0.file": "other.json",
    "datasets.0.formatting": None,
    "datasets.0.ranking": None,
    "models.0.name": "other",
    "models.0.template": "chatml",
    "models.0.base_model.hub": None,
    "models.0.base_model.revision": None,
    "models.0.base_model.path": None,
    "models.0.base_model.parameters_b": None,
    f"{GENERATED}.seed": 1,
    f"{GENERATED}.hidden_size": 128,
    f"{GENERATED}.intermediate_size": 256,
    f"{GENERATED}.layers": 3,
    f"{GENERATED}.attention_heads": 8,
    f"{GENERATED}.vocabulary_size": 500,
    f"{RUN}.name": "first",
    f"{RUN}.stage": "pt",
    f"{RUN}.finetuning_type": None,
    f"{RUN}.datasets": ["alpaca", "spare"],
    f"{RUN}.reward_model": None,
    f"{RUN}.cutoff_len": 99,
    f"{RUN}.max_samples": 99,
    f"{RUN}.num_train_epochs": 9.5,
    f"{RUN}.max_steps": 99,
    f"{RUN}.learning_rate": 0.5,
    f"{RUN}.lr_scheduler_type": "linear",
    f"{RUN}.warmup_steps": 9,
    f"{RUN}.per_device_train_batch_size": 9,
    f"{RUN}.gradient_accumulation_steps": 9,
    f"{RUN}.precision": "fp32",
    f"{RUN}.gradient_checkpointing": False,
    f"{RUN}.seed": 9,
    f"{RUN}.logging_steps": 9,
    f"{RUN}.save_steps": 9,
    f"{RUN}.save_total_limit": 9,
    f"{RUN}.lora_rank": 9,
    f"{RUN}.lora_alpha": 9,
    f"{RUN}.lora_dropout": 0.5,
    f"{RUN}.lora_target": "q_proj",
    f"{RUN}.additional_target": ["lm_head"],
    f"{RUN}.quantization_bit": 4,
    f"{RUN}.deepspeed": "zero3",
    f"{RUN}.use_unsloth": True,
    f"{RUN}.flash_attn": "sdpa",
    f"{RUN}.threads": 9,
    f"{RUN}.deadline_hours": 9,
    f"{RUN}.arguments": {"weight_decay": 0.5},
    "models.0.merge.export_size": 9,
    "models.0.merge.export_device": "auto",
    "models.0.gguf_conversion.quantization": "f16",
    f"{OLLAMA}.name": "other",
    f"{OLLAMA}.system": "Be brief.",
    f"{OLLAMA}.parameters.stop": ["User:"],
    f"{OLLAMA}.parameters.use_mmap": False,
    f"{OLLAMA}.smoke_prompts.0.prompt": "Another?",
    f"{OLLAMA}.smoke_prompts.0.expect": "other",
    "ollama_server.port": 9999,
    "ollama_server.bind_address": "10.0.0.1",
    "ollama_server.environment": {"OLLAMA_KEEP_ALIVE": "1h"},
    "board.enabled": False,
    "board.port": 9999,
    "board.bind_address": "10.0.0.1",
    "board.share": True,
    "api.enabled": False,
    "api.port": 9999,
    "api.bind_address": "10.0.0.1",
    "api.model": "guide",
}
"""A value other than the base document's. None: a test of its own below."""

NUMBERS = ("temperature", "top_k", "top_p", "min_p", "typical_p", "repeat_last_n")
NUMBERS += ("repeat_penalty", "presence_penalty", "frequency_penalty", "seed", "num_predict")
NUMBERS += ("num_keep", "num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread")
CHANGES |= {f"{OLLAMA}.parameters.{name}": 1 for name in NUMBERS}
CHANGES |= {
    f"volumes.{role}.{key}": value
    for role, retained in (("data", 0), ("output", 1), ("hf_cache", 1), ("ollama", 0))
    for key, value in (("retain", not retained), ("host_path", "/srv/here"))
}
CHANGES |= {
    f"datasets.{index}.columns.{name}": None
    for index in (0,)
    for name in ("prompt", "query", "response", "history", "messages", "system", "tools")
}
CHANGES |= {f"datasets.0.columns.{name}": None for name in ("chosen", "rejected", "kto_tag")}
CHANGES |= {
    f"datasets.0.tags.{name}_tag": None
    for name in ("role", "content", "user", "assistant", "observation", "function", "system")
}
CHANGES |= {"host.gpu.memory_gb": None, "host.gpu.while_training": "share"}
NEEDS_A_GPU = (
    "host.gpu.count",
    "host.gpu.while_training",
    f"{RUN}.quantization_bit",
    f"{RUN}.deepspeed",
)
NEEDS_A_GPU += (f"{RUN}.use_unsloth", "host.hardware")


def leaves(section: type[BaseModel], path: str = "") -> Iterator[str]:
    """Every setting that there is, by its path; of each list, the first entry's."""
    for name, field in section.model_fields.items():
        inner, step = _section(field.annotation)
        if inner is None:
            yield f"{path}{name}"
        else:
            yield from leaves(inner, f"{path}{name}{step}.")


def _section(annotation: Any, step: str = "") -> tuple[type[BaseModel] | None, str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, step
    for part in get_args(annotation):
        inner, found = _section(part, ".0" if "tuple" in str(annotation) else step)
        if inner is not None:
            return inner, found
    return None, step


def put(document: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    section: Any = document
    for part in parents:
        section = section[int(part)] if part.isdigit() else section.setdefault(part, {})
    section[last] = value


@pytest.fixture
def plan_of(project: Path, directory: Path) -> Callable[[dict[str, Any]], PipelinePlan]:
    def plan(document: dict[str, Any]) -> PipelinePlan:
        settings = parse_settings(document, directory=directory, source="test")
        return plan_pipeline(settings, owner=Owner(stack="test"), facts=HostFacts())

    return plan


@pytest.fixture
def base(directory: Path) -> dict[str, Any]:
    (directory / "own.pem").write_text("PEM")
    (directory / "other.json").write_text('[{"instruction": "Other?", "output": "Yes."}]')
    document = copy.deepcopy(DOCUMENT)
    document["models"][0]["training_runs"] = copy.deepcopy(CHAIN)
    document["models"].append(copy.deepcopy(DOCUMENT["models"][0]) | {"name": "second"})
    document["api"] = {"enabled": True, "model": "second"}
    document["host"]["cluster"] = {"nodes": 2, "rank": 0, "master_address": "10.0.0.1"}
    return document


def test_the_table_holds_every_setting() -> None:
    assert set(leaves(Settings)) == set(CHANGES)


@pytest.mark.parametrize("path", [path for path, value in CHANGES.items() if value is not None])
def test_a_changed_setting_changes_the_plan(
    base: dict[str, Any], plan_of: Callable[[dict[str, Any]], PipelinePlan], path: str
) -> None:
    if path in NEEDS_A_GPU:
        base["host"]["hardware"] = "cuda"
    if path == "images.ollama.base_image":
        put(base, "images.ollama.build", True)
    before = plan_of(base)
    put(base, path, CHANGES[path])
    if path == f"{RUN}.stage":
        base["models"][0]["ollama_model"] = {}
    assert plan_of(base) != before


class TestSettingsThatNeedOthers:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ({"hub": "a/b-1B"}, {"hub": "a/c-1B"}),
            ({"hub": "a/b-1B"}, {"hub": "a/b-1B", "revision": "v2"}),
            ({"path": "/app/output/a"}, {"path": "/app/output/b"}),
        ],
    )
    def test_base_models(
        self, base: dict[str, Any], plan_of: Any, before: dict[str, str], after: dict[str, str]
    ) -> None:
        base["models"][0]["base_model"] = before
        plan = plan_of(base)
        base["models"][0]["base_model"] = after
        assert plan_of(base) != plan

    def test_the_judge(self, base: dict[str, Any], plan_of: Any) -> None:
        before = plan_of(base)
        base["models"][0]["training_runs"][3]["reward_model"] = "second"
        assert plan_of(base) != before

    def test_the_method(self, base: dict[str, Any], plan_of: Any) -> None:
        del base["models"][0]["training_runs"][1:]
        before = plan_of(base)
        base["models"][0]["training_runs"][0]["finetuning_type"] = "full"
        assert plan_of(base) != before

    def test_a_data_sets_name(self, base: dict[str, Any], plan_of: Any) -> None:
        before = plan_of(base)
        base["datasets"][1]["name"] = "other"
        assert plan_of(base) != before

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("host.gpu.memory_gb", 1),
            ("models.0.base_model.parameters_b", 70),
            ("host.gpu.while_training", "share"),
        ],
    )
    def test_what_decides_whether_a_run_may_not_fit(
        self, base: dict[str, Any], directory: Path, path: str, value: Any
    ) -> None:
        base["host"] = {"hardware": "cuda", "gpu": {"memory_gb": 3}}
        for model in base["models"]:
            model["base_model"] = {"hub": "a/b-1B"}

        def advice() -> list[str]:
            settings = parse_settings(base, directory=directory, source="test")
            found = find_advice(settings, HostFacts())
            return [problem.rule for problem in found if "on each GPU" in problem.rule]

        assert advice() == []
        put(base, path, value)
        assert advice()
