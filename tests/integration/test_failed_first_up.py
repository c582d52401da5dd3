"""Whatever failed or was interrupted, one destroy takes everything back (T2).

Takes about a minute.
"""

import signal
from pathlib import Path

import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import Stack

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]


def destroyed(stack: Stack, engine: Engine) -> None:
    update = stack.destroy()
    assert update.returncode == 0, update.output
    assert engine.containers(stack) == {}
    assert engine.volumes(stack) == set()
    assert engine.networks(stack) == set()
    assert stack.resources() == []


def test_after_a_training_that_failed_in_the_first_up(home: Path, engine: Engine):
    stack = Stack(home)
    stack.settings["board"] = {"enabled": False}
    # Modules are the base model's: nothing that the settings can judge.
    stack.run["lora_target"] = "no_such_module"
    try:
        update = stack.up()
        assert update.returncode != 0
        assert "training_runs[].lora_target" in update.output
        training = f"{stack.physical_name}-stack-guide-sft"
        # Kept for its log, and in no state.
        assert training in engine.containers(stack)
        assert not any("sft-command" in resource["urn"] for resource in stack.resources())
        destroyed(stack, engine)
    finally:
        engine.remove_everything_of(stack)


def test_after_a_first_up_that_was_killed_at_work(home: Path, engine: Engine):
    stack = Stack(home)
    stack.settings["board"] = {"enabled": False}
    stack.run["max_steps"] = 100000
    training = f"{stack.physical_name}-stack-guide-sft"

    def is_training() -> bool:
        found = engine.containers(stack).get(training)
        return found is not None and found.status == "running"

    try:
        stack.up_until(is_training, then=signal.SIGKILL)
        assert is_training()
        destroyed(stack, engine)
    finally:
        engine.remove_everything_of(stack)


def test_another_stack_of_the_same_name_takes_nothing(home: Path, engine: Engine, tmp_path: Path):
    mine = Stack(home)
    mine.settings["board"] = {"enabled": False}
    theirs = Stack(tmp_path / "theirs", name=mine.name)
    theirs.settings["board"] = {"enabled": False}
    try:
        assert (
            mine.up(
                targets=[
                    "pipeline",
                    "pipeline-host-check*",
                    "pipeline-volumes*",
                    "pipeline-network",
                ]
            ).returncode
            == 0
        )
        volumes = engine.volumes(mine)
        update = theirs.up()
        assert update.returncode != 0
        assert f"another stack called {theirs.physical_name} lives on this engine" in update.output
        assert theirs.destroy().returncode == 0
        assert engine.volumes(mine) == volumes
        destroyed(mine, engine)
    finally:
        engine.remove_everything_of(mine)
