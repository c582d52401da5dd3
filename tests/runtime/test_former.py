"""Commands in states of the version before: `pulumi destroy` and a first `pulumi up` run them.

`former_commands.json` holds those of the demo's state, as that version exported it.
"""

import hashlib
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from plan import labels
from plan.owner import Owner
from plan.paths import ollama_manifest
from tests.runtime.conftest import IMAGE, Bench, Outcome, end, start_program
from tests.runtime.ollama_stand_in import OllamaStandIn

pytestmark = pytest.mark.engine

RECORDED: list[dict[str, str]] = json.loads(
    Path(__file__).with_name("former_commands.json").read_text()
)
THEIRS = "finetune-stack-demo"
"""The stack that the recorded commands are of."""
MODEL = RECORDED[-1]
SERVED = "stack-guide:latest"


def spec_name(command: dict[str, str]) -> str:
    return str(json.loads(command["stdin"])["name"]).removeprefix(f"{THEIRS}-")


def spec(bench: Bench, command: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command["stdin"].replace(THEIRS, bench.stack))
    return found


def run(bench: Bench, command: dict[str, str], action: str = "delete") -> Outcome:
    """A recorded command as pulumi-command runs it, for the stack of the test."""
    python, program, _ = shlex.split(command["delete"])
    assert python == ".venv/bin/python"
    return end(start_program([program, action], json.dumps(spec(bench, command))))


@pytest.mark.parametrize("command", RECORDED, ids=spec_name)
def test_the_containers_of_a_step_go_and_nobody_elses(bench: Bench, command: dict[str, str]):
    name = spec(bench, command)["name"]
    former = Owner(stack=bench.stack)
    for container, step, owner in (
        (name, name, former),
        (f"{name}-neighbour", f"{name}-neighbour", former),
        (f"{name}-of-this-version", name, bench.owner),
    ):
        given = {**owner.labels, labels.STEP: step}
        bench.client.containers.create(IMAGE, "true", name=container, labels=given)
    outcome = run(bench, command)
    assert outcome.result == {"removed": 1, "models": []}
    assert {each.name.removeprefix(name) for each in bench.containers()} == {
        "-neighbour",
        "-of-this-version",
    }


@pytest.mark.parametrize("command", RECORDED, ids=spec_name)
def test_converging_says_what_to_run(bench: Bench, command: dict[str, str]):
    outcome = run(bench, command, "converge")
    assert (outcome.code, outcome.output) == (1, "")
    assert "Run `pulumi up`" in outcome.words


class TestModel:
    @pytest.fixture
    def marker(self, bench: Bench, ollama: OllamaStandIn) -> dict[str, Any]:
        """The marker of a model that the version before served."""
        known = spec(bench, MODEL)
        ollama.overwrite(SERVED, "model")
        assert str(ollama_manifest(SERVED)) == known["manifest"]
        said = {
            "fingerprint": known["fingerprint"],
            "token": known["token"],
            "manifest_digest": hashlib.sha256(ollama.manifest(SERVED).encode()).hexdigest(),
            "answers": [{"prompt": "What does pulumi preview do?", "answer": "changes"}],
            "step": known["name"],
            "model": known["served_name"],
            "manifest": known["manifest"],
        }
        self.write(ollama, known["marker"], said)
        return said

    @staticmethod
    def write(ollama: OllamaStandIn, path: str, said: dict[str, Any]) -> None:
        ollama.shell(f"mkdir -p $(dirname {path}); echo '{json.dumps(said)}' > {path}")

    @pytest.mark.usefixtures("marker")
    def test_it_goes_with_its_step(self, bench: Bench, ollama: OllamaStandIn):
        candidate = f"stack-guide:candidate-{spec(bench, MODEL)['fingerprint']}"
        for other in ("llama3:latest", "stack-guide:candidate-others", candidate):
            ollama.overwrite(other, "pulled")
        assert run(bench, MODEL).result == {"removed": 0, "models": [candidate, SERVED]}
        assert ollama.models() == ["llama3:latest", "stack-guide:candidate-others"]
        assert ollama.marked() == []

    def test_one_that_another_step_took_over_stays(
        self, bench: Bench, ollama: OllamaStandIn, marker: dict[str, Any]
    ):
        taken_over = {**marker, "step": f"{bench.stack}-handbook-ollama-model"}
        self.write(ollama, spec(bench, MODEL)["marker"], taken_over)
        assert run(bench, MODEL).result == {"removed": 0, "models": []}
        assert ollama.models() == [SERVED]
        assert ollama.marked() == [marker["fingerprint"]]

    def test_one_that_this_version_vouches_for_stays(
        self, bench: Bench, ollama: OllamaStandIn, marker: dict[str, Any]
    ):
        """It may lie under another identity, with the same content."""
        path = spec(bench, MODEL)["marker"].replace(marker["fingerprint"], "new")
        self.write(ollama, path, {**marker, "identity": "new", "stack": bench.stack})
        assert run(bench, MODEL).result == {"removed": 0, "models": []}
        assert ollama.models() == [SERVED]
        assert ollama.marked() == ["new"]

    @pytest.mark.usefixtures("marker")
    def test_what_somebody_else_put_under_its_name_stays(self, bench: Bench, ollama: OllamaStandIn):
        ollama.overwrite(SERVED, "theirs")
        assert run(bench, MODEL).result == {"removed": 0, "models": []}
        assert ollama.models() == [SERVED]

    @pytest.mark.usefixtures("marker")
    def test_without_a_server_nothing_is_removed(self, bench: Bench, ollama: OllamaStandIn):
        ollama.container.kill()
        outcome = run(bench, MODEL)
        assert outcome.result == {"removed": 0, "models": []}
        assert "does not run" in outcome.words
