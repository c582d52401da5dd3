"""An Ollama server that leaves the accelerators alone says so (F2)."""

from collections.abc import Callable
from typing import Any

import pytest

from plan.container import Accelerator
from plan.pipeline import PipelinePlan
from planning.advice.serving import about_serving
from stack_configs.settings.root import Settings

Change = Callable[[dict[str, Any]], Any]


def on(hardware: str, **ollama: Any) -> Change:
    host = {"hardware": hardware, "gpu": {"count": 1}}
    return lambda document: document.update(host=host, images={"ollama": ollama})


@pytest.mark.parametrize(
    ("hardware", "ollama", "key"),
    [
        ("cuda", {"build": True}, "images.ollama.build"),
        ("rocm", {"build": True}, "images.ollama.build"),
        ("npu", {}, "host.hardware"),
        ("npu", {"build": True}, "host.hardware"),
        ("cuda", {}, None),
        ("rocm", {}, None),
        ("cpu", {"build": True}, None),
        # Somebody's own image may hold the backend.
        ("npu", {"image": "acme/ollama:cann"}, None),
    ],
)
def test_who_serves_from_the_processors_is_told(
    settings_with: Callable[[Change], Settings],
    plan_with: Callable[[Change], PipelinePlan],
    hardware: str,
    ollama: dict[str, Any],
    key: str | None,
) -> None:
    change = on(hardware, **ollama)
    assert [problem.key for problem in about_serving(settings_with(change))] == (
        [key] if key else []
    )
    plan = plan_with(change)
    served = plan.ollama_server.container.accelerator
    # Devices that the server cannot use stay out of its container.
    assert (served == Accelerator()) == (key is not None or hardware == "cpu")
    assert plan.board
    assert (plan.board.container.accelerator == Accelerator()) == (hardware == "cpu")
