"""Which models a server serves for a stack: those of the settings, and no others of the stack's."""

import json
import signal
from collections.abc import Sequence

import pytest

from plan.ollama_model import OllamaModelStep
from plan.owner import Owner
from plan.paths import ollama_manifest, served_marker
from plan.step import ServedModelsStep
from runtime.serving.store import candidate_name
from tests.runtime.conftest import Bench, Outcome, end
from tests.runtime.ollama_stand_in import OllamaStandIn

pytestmark = pytest.mark.engine


def model(bench: Bench, served_name: str) -> OllamaModelStep:
    name = served_name.replace(":", "-")
    return OllamaModelStep(
        name=f"{bench.stack}-{name}-ollama-model",
        identity=f"id-{name}",
        server=f"{bench.stack}-ollama-server",
        served_name=served_name,
        modelfile=f"FROM {name}.gguf\n",
    )


def serve(bench: Bench, *served_names: str, owner: Owner | None = None) -> None:
    for served_name in served_names:
        step = model(bench, served_name)
        assert bench.run("ollama-model", "converge", step, owner=owner).code == 0


def step(bench: Bench, names: Sequence[str], *, keep: bool = False) -> ServedModelsStep:
    return ServedModelsStep(
        name=f"{bench.stack}-served-models",
        server=f"{bench.stack}-ollama-server",
        served_names=tuple(names),
        keep=keep,
    )


def converge(bench: Bench, *names: str) -> Outcome:
    return bench.run("served-models", "converge", step(bench, names))


def test_a_model_that_the_settings_name_no_more_goes(bench: Bench, ollama: OllamaStandIn):
    serve(bench, "guide:7b", "guide:13b", "other:latest")
    outcome = converge(bench, "guide:13b", "other:latest")
    assert outcome.result == {"removed": ["guide:7b"]}
    assert "removing model guide:7b" in outcome.words
    assert ollama.models() == ["guide:13b", "other:latest"]
    assert ollama.marked() == ["id-guide-13b", "id-other-latest"]
    assert converge(bench, "guide:13b", "other:latest").result == {"removed": []}


def test_what_somebody_else_put_there_stays(bench: Bench, ollama: OllamaStandIn):
    serve(bench, "guide:7b")
    ollama.overwrite("guide:7b", "theirs")
    ollama.overwrite("llama3:latest", "pulled")
    assert converge(bench).result == {"removed": []}
    assert ollama.models() == ["guide:7b", "llama3:latest"]
    assert ollama.marked() == []


def test_another_stacks_model_in_the_same_store_stays(bench: Bench, ollama: OllamaStandIn):
    serve(bench, "guide:7b", owner=Owner(stack=f"{bench.stack}-two"))
    assert converge(bench).result == {"removed": []}
    assert ollama.models() == ["guide:7b"]
    assert ollama.marked() == ["id-guide-7b"]


def test_a_model_of_the_version_before_is_the_stacks_own(bench: Bench, ollama: OllamaStandIn):
    """Its marker says `fingerprint`, and nothing of a stack."""
    serve(bench, "guide:7b", "guide:13b")
    for name in ("guide-7b", "guide-13b"):
        marker = ollama.marker(f"id-{name}")
        marker["fingerprint"] = marker.pop("identity")
        del marker["stack"]
        ollama.shell(f"echo '{json.dumps(marker)}' > {served_marker(f'id-{name}')}")
    assert converge(bench, "guide:13b").result == {"removed": ["guide:7b"]}
    calls = ollama.calls()
    serve(bench, "guide:13b")
    assert ollama.calls() == calls
    assert ollama.marker("id-guide-13b")["stack"] == bench.stack


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_candidate_that_outlived_its_program_goes(
    bench: Bench, ollama: OllamaStandIn, number: signal.Signals
):
    serve(bench, "other:latest")
    ollama.hold("create")
    process = bench.start("ollama-model", "converge", model(bench, "guide:7b"))
    bench.wait(lambda: ollama.calls()[-1].startswith("create"))
    process.send_signal(number)
    end(process)
    ollama.release("create")
    bench.wait(lambda: candidate_name(bench.stack, "id-guide-7b") in ollama.models())
    assert converge(bench, "guide:7b", "other:latest").code == 0
    assert ollama.models() == ["other:latest"]


def test_a_server_that_does_not_run_is_explained(bench: Bench, ollama: OllamaStandIn):
    ollama.container.kill()
    outcome = converge(bench, "guide:7b")
    assert outcome.code == 1
    assert f"{bench.stack}-ollama-server does not run" in outcome.words


class TestDelete:
    @pytest.mark.parametrize("keep", [True, False])
    def test_models_stay_with_a_store_that_stays(
        self, bench: Bench, ollama: OllamaStandIn, keep: bool
    ):
        serve(bench, "guide:7b", "guide:13b")
        ollama.overwrite("llama3:latest", "pulled")
        named = step(bench, ["guide:7b", "guide:13b"], keep=keep)
        outcome = bench.run("served-models", "delete", named)
        ours = ["guide:13b", "guide:7b"]
        assert outcome.result == {"removed": [] if keep else ours}
        assert ollama.models() == [*(ours if keep else []), "llama3:latest"]

    def test_without_a_server_they_stay_in_its_directory(self, bench: Bench, ollama: OllamaStandIn):
        serve(bench, "guide:7b")
        ollama.container.kill()
        outcome = bench.run("served-models", "delete", step(bench, ["guide:7b"]))
        assert outcome.result == {"removed": []}
        assert "does not run" in outcome.words
        ollama.container.start()
        assert ollama.shell(f"ls {ollama_manifest('guide:7b')}")
