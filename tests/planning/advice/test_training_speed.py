"""Slow trainings are foretold, and nothing else is said (T5, T6, F6)."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plan.host import Gpu, HostFacts
from planning.advice.advice import find_advice
from stack_configs.settings.loader import load_settings
from stack_configs.settings.root import Settings

SettingsWith = Callable[[Callable[[dict[str, Any]], Any]], Settings]
ENVIRONMENTS = sorted((Path(__file__).parents[3] / "stack_configs").glob("*.yaml"))
LARGE = HostFacts(cpu_cores=64, memory_gb=512.0)
RUN = "models[0].training_runs[0]"


@pytest.fixture
def advice(settings_with: SettingsWith) -> Callable[..., dict[str, str]]:
    """Advice by its key, for a host and a run."""

    def find(
        host: dict[str, Any], facts: HostFacts = LARGE, hub: str = "a/b-1B", **run: Any
    ) -> dict[str, str]:
        def change(document: dict[str, Any]) -> None:
            document["host"] = host
            document["models"][0]["base_model"] = {"hub": hub}
            document["models"][0]["training_runs"][0].update(run)

        return {found.key: str(found) for found in find_advice(settings_with(change), facts)}

    return find


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_the_environments_that_come_with_the_stack_need_none(path: Path) -> None:
    assert find_advice(load_settings(path), LARGE) == []


@pytest.mark.parametrize(
    ("host", "run", "key"),
    [
        ({"hardware": "cuda", "shm_size_gb": 1}, {}, "host.shm_size_gb"),
        ({"hardware": "cpu"}, {}, f"{RUN}.precision"),
        ({"hardware": "cpu"}, {"precision": "fp32", "flash_attn": "fa2"}, f"{RUN}.flash_attn"),
        ({"hardware": "cuda"}, {"precision": "fp32"}, f"{RUN}.precision"),
        ({"hardware": "cuda"}, {"flash_attn": "disabled"}, f"{RUN}.flash_attn"),
        (
            {"hardware": "cuda", "gpu": {"count": 4, "memory_gb": 80}},
            {"finetuning_type": "full"},
            f"{RUN}.deepspeed",
        ),
        ({"hardware": "cuda", "gpu": {"count": 1}}, {}, f"{RUN}.use_unsloth"),
        ({"hardware": "cuda"}, {"threads": 65}, f"{RUN}.threads"),
    ],
)
def test_what_holds_a_training_back(
    advice: Callable[..., dict[str, str]], host: dict[str, Any], run: dict[str, Any], key: str
) -> None:
    assert list(advice(host, **run)) == [key]


@pytest.mark.parametrize(
    ("host", "run"),
    [
        ({"hardware": "cpu"}, {"precision": "fp32"}),
        ({"hardware": "cuda"}, {}),
        ({"hardware": "cuda", "gpu": {"count": 1}}, {"use_unsloth": True}),
        (
            {"hardware": "cuda", "gpu": {"count": 4, "memory_gb": 80}},
            {"finetuning_type": "full", "deepspeed": "zero2"},
        ),
        ({"hardware": "cuda"}, {"threads": 64}),
    ],
)
def test_nothing_is_said_where_nothing_does(
    advice: Callable[..., dict[str, str]], host: dict[str, Any], run: dict[str, Any]
) -> None:
    assert advice(host, **run) == {}


def test_a_merge_that_will_swap(advice: Callable[..., dict[str, str]]) -> None:
    host = {"hardware": "cuda", "gpu": {"memory_gb": 24}, "minimum": {"memory_gb": 8}}
    found = advice(host, HostFacts(memory_gb=8.0), hub="meta-llama/Meta-Llama-3-8B-Instruct")
    assert found == {
        "models[0].merge.export_device": (
            "models[0].merge.export_device is cpu: 8.03B weights take about 16 GB of memory, and "
            "the engine's host has 8 GB: it will swap. Set it to auto, or take a host with more "
            "memory."
        )
    }


def test_all_gpus_are_as_many_as_the_look_found(advice: Callable[..., dict[str, str]]) -> None:
    eight = replace(LARGE, gpus=(Gpu(memory_gb=85.0),) * 8)
    found = advice({"hardware": "cuda"}, eight, finetuning_type="full")
    assert "each of the 8 GPUs keeps a whole optimizer" in found[f"{RUN}.deepspeed"]
    one = replace(LARGE, gpus=(Gpu(memory_gb=85.0),))
    assert list(advice({"hardware": "cuda"}, one)) == [f"{RUN}.use_unsloth"]


def test_a_host_that_was_not_looked_at_is_not_judged(
    advice: Callable[..., dict[str, str]],
) -> None:
    assert advice({"hardware": "cuda"}, HostFacts(), threads=999) == {}
