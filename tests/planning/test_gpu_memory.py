"""Who makes room on the GPUs for a training run (T5)."""

from collections.abc import Callable
from typing import Any

import pytest

from plan.gpu_memory import GpuMemoryHolder
from plan.pipeline import PipelinePlan

OLLAMA = GpuMemoryHolder(container="test-ollama-server", release="unload")
API = GpuMemoryHolder(container="test-api", release="stop")


@pytest.mark.parametrize(
    ("host", "ollama", "api", "holders"),
    [
        ({"hardware": "cuda"}, {}, False, (OLLAMA,)),
        ({"hardware": "rocm"}, {}, True, (OLLAMA, API)),
        ({"hardware": "cuda"}, {"build": True}, True, (API,)),
        ({"hardware": "cuda", "gpu": {"while_training": "share"}}, {}, True, ()),
        ({"hardware": "cpu"}, {}, True, ()),
    ],
)
def test_what_holds_memory_of_the_gpus_is_freed_unless_they_share(
    plan_with: Callable[..., PipelinePlan],
    host: dict[str, Any],
    ollama: dict[str, Any],
    api: bool,
    holders: tuple[GpuMemoryHolder, ...],
) -> None:
    plan = plan_with(
        lambda document: document.update(host=host, images={"ollama": ollama}, api={"enabled": api})
    )
    (guide,) = plan.models
    given = {step.noun: step.gpu_memory_holders for step in guide.steps}
    assert given.pop("training-run") == holders
    if plan.api:
        # A look at the host does not miss it, nor start it, while a model trains.
        assert plan.api.makes_room == (API in holders)
    # Nothing else of a model is made on a GPU.
    assert set(given.values()) == {()}
