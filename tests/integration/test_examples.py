"""Examples on the real CLI: each is another kind of host or of training, and none is at hand."""

from pathlib import Path

import pytest

from tests.integration.stack import Stack, environment

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]


@pytest.mark.parametrize(
    ("example", "steps", "warnings"),
    [
        ("full-eight-gpus-zero3", ["desk-sft", "desk-gguf-conversion"], []),
        (
            "reward-model-and-ppo",
            ["desk-sft", "desk-reward", "desk-ppo", "desk-merge", "desk-gguf-conversion"],
            [],
        ),
        ("public-api", ["desk-sft", "api"], ["api.bind_address is '0.0.0.0'"]),
    ],
)
def test_an_example_is_previewed_without_its_host(
    home: Path, example: str, steps: list[str], warnings: list[str]
) -> None:
    stack = Stack(home, settings=environment(f"examples/{example}"))
    stack.settings["host"] |= {
        "check": "plan_only",
        # Nothing listens there: a plan must not need an engine.
        "engine": "unix:///nonexistent/docker.sock",
    }
    preview = stack.preview()
    assert preview.returncode == 0, preview.stdout
    assert "Traceback" not in preview.stdout
    for step in steps:
        assert f"pipeline-{step}" in preview.stdout
    for warning in warnings:
        assert warning in preview.stdout
    assert ("warning: " in preview.stdout) == bool(warnings)
