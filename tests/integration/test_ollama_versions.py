"""The oldest and the newest Ollama that can be built here serve what was trained (E4, F2).

Each is built from its module, which takes minutes.
"""

from pathlib import Path

import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import Stack

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(2400),
]


@pytest.mark.parametrize("version", ["0.11.5", "0.23.0"])
def test_a_model_is_proved_and_answers(home: Path, engine: Engine, version: str) -> None:
    stack = Stack(home)
    stack.settings["board"] = {"enabled": False}
    stack.settings.setdefault("images", {})["ollama"] = {"build": True, "version": version}
    try:
        update = stack.up()
        assert update.returncode == 0, update.output
        outputs = stack.outputs()
        (parity,) = outputs["parity"].values()
        assert parity["equal"] == parity["compared"] > 0
        asked = stack.model["ollama_model"]["smoke_prompts"]
        assert [answer["prompt"] for answer in outputs["smoke_answers"]] == [
            prompt["prompt"] for prompt in asked
        ]
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)
