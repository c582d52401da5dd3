"""The GPU variants of the training image, built by the stack on a base that can be had (F1-F3, T6).

The real bases are tens of gigabytes and come from a registry. What they bring, a Python with torch,
the CPU variant has too: on it everything that the Dockerfiles add is installed for real.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import load_settings
from tests.integration.conftest import Engine
from tests.integration.stack import Stack

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1800)]

IMAGE = (
    "pipeline",
    "pipeline-host-check*",
    "pipeline-images",
    "pipeline-images-llamafactory*",
)
"""The training image, its base, the components that they belong to, and the claim before them."""


def reference(stack: Stack) -> str:
    """The name of the training image that the stack builds."""
    stack.write_settings()
    plan = plan_pipeline(load_settings(stack.home / "settings.yaml"), stack=stack.physical_name)
    return plan.images.llamafactory.reference


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The CPU variant; there already after the demo's tests."""
    stack = Stack(tmp_path_factory.mktemp("base") / "home")
    try:
        update = stack.up(targets=IMAGE)
        assert update.returncode == 0, update.output
        yield reference(stack)
    finally:
        stack.abandon()


@pytest.mark.parametrize(
    ("hardware", "builder", "extras"),
    [
        ("cuda", "buildkit", ["bitsandbytes", "deepspeed", "metrics"]),
        ("rocm", "buildkit", []),
        ("npu", "classic", []),
    ],
)
@pytest.mark.capability("F2", "F3")
def test_a_variant_builds(
    home: Path, engine: Engine, base: str, hardware: str, builder: str, extras: list[str]
):
    stack = Stack(home)
    stack.settings["host"] = {
        "hardware": hardware,
        "gpu": {"count": 1},
        "check": "plan_only",
    }
    stack.settings["images"] |= {
        "builder": builder,
        "llamafactory": {"base_image": base, "extras": extras},
    }
    try:
        update = stack.up(targets=IMAGE)
        assert update.returncode == 0, update.output
        assert run(engine, stack, "llamafactory-cli version").count("version 0.9.5") == 1
        packages = run(engine, stack, "pip list --format freeze")
        assert [name for name in extras if f"{name}==" not in packages] == (
            ["metrics"] if "metrics" in extras else []
        )
        assert ("rouge-chinese==" in packages) is ("metrics" in extras)
        # For the labels of plots in Chinese, Japanese and Korean (F3).
        assert "wqy" in run(engine, stack, "ls /usr/share/fonts/truetype")
    finally:
        stack.abandon()


def run(engine: Engine, stack: Stack, command: str) -> str:
    output: Any = engine.client.containers.run(
        reference(stack), ["sh", "-c", command], network_mode="none", remove=True
    )
    return str(output.decode())
