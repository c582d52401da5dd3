"""Models in Ollama: made beside the old one, asked, and only then served (E5)."""

import hashlib
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from plan.step import OllamaModelStep, SmokePrompt
from runtime.serving.ollama_model import satisfies
from runtime.serving.store import candidate_name
from tests.runtime.conftest import Bench, Heard, Outcome
from tests.runtime.ollama_stand_in import OllamaStandIn


class TestSatisfies:
    @pytest.mark.parametrize(
        ("answer", "expected", "is_good"),
        [
            ("It is 42.", "42", True),
            ("It\n  is\n42.", "is 42", True),
            ("pulumi  up", "pulumi\nup", True),
            ("PULUMI UP", "pulumi up", False),
            ("", "42", False),
        ],
    )
    def test_it_compares_words_not_line_breaks(self, answer: str, expected: str, is_good: bool):
        assert satisfies(answer, expected) is is_good


def model(
    bench: Bench,
    says: str = "It is 42.",
    *,
    identity: str = "f1",
    served_name: str = "guide:latest",
    step: str = "guide",
    deadline_seconds: int = 60,
) -> OllamaModelStep:
    """A model that answers everything with the same words."""
    return OllamaModelStep(
        name=f"{bench.stack}-{step}-ollama-model",
        identity=identity,
        server=f"{bench.stack}-ollama-server",
        served_name=served_name,
        modelfile=f"FROM /app/output/model.gguf\nSYSTEM {says}\n",
        quantize="q4_K_M",
        smoke_prompts=(SmokePrompt(prompt="--what is it?", expect="is 42"),),
        deadline_seconds=deadline_seconds,
    )


def serve(bench: Bench, step: OllamaModelStep, **given: str) -> Outcome:
    return bench.run("ollama-model", "converge", step, **given)


@pytest.mark.engine
class TestConverge:
    def test_the_model_is_made_asked_and_served(self, bench: Bench, ollama: OllamaStandIn):
        outcome = serve(bench, model(bench))
        assert outcome.code == 0, outcome.words
        answers = [{"prompt": "--what is it?", "answer": "It is 42."}]
        assert outcome.result == {
            "identity": "f1",
            "model": "guide:latest",
            "answers": answers,
            # Nothing says what it was trained in.
            "parity": {},
        }
        assert ollama.models() == ["guide:latest"]
        assert "quantize: q4_K_M" in ollama.manifest("guide:latest")
        digest = hashlib.sha256(ollama.manifest("guide:latest").encode()).hexdigest()
        assert ollama.marker("f1") == {
            "identity": "f1",
            "step": f"{bench.stack}-guide-ollama-model",
            "stack": bench.stack,
            "model": "guide:latest",
            "manifest": "/root/.ollama/models/manifests/registry.ollama.ai/library/guide/latest",
            "manifest_digest": digest,
            "answers": answers,
            "parity": {},
            "token": "t1",
        }
        assert outcome.words.count("gathering model components") == 1
        assert "\x1b" not in outcome.words

    def test_a_served_model_is_not_touched(self, bench: Bench, ollama: OllamaStandIn):
        first = serve(bench, model(bench))
        calls = ollama.calls()
        second = serve(bench, model(bench), token="t2")
        assert second.output == first.output
        assert ollama.calls() == calls
        assert ollama.marker("f1")["token"] == "t2"

    def test_a_better_model_takes_the_name_and_leaves_nothing_beside_it(
        self, bench: Bench, ollama: OllamaStandIn
    ):
        serve(bench, model(bench))
        new = serve(bench, model(bench, "It really is 42", identity="f2"))
        assert new.code == 0, new.words
        assert ollama.models() == ["guide:latest"]
        assert "really" in ollama.manifest("guide:latest")
        back = serve(bench, model(bench))
        assert back.result["answers"][0]["answer"] == "It is 42."

    def test_a_model_removed_by_hand_is_made_again(self, bench: Bench, ollama: OllamaStandIn):
        serve(bench, model(bench))
        ollama.shell("ollama rm guide:latest")
        assert serve(bench, model(bench)).code == 0
        assert ollama.models() == ["guide:latest"]

    def test_it_waits_for_a_server_that_does_not_answer_yet(
        self, bench: Bench, ollama: OllamaStandIn
    ):
        ollama.shell(
            "touch /root/.ollama/deaf; (sleep 1; rm /root/.ollama/deaf) > /dev/null 2>&1 &"
        )
        assert serve(bench, model(bench)).code == 0

    def test_a_server_that_is_gone_is_explained(self, bench: Bench):
        outcome = serve(bench, model(bench))
        assert outcome.code == 1
        assert f"{bench.stack}-ollama-server does not run" in outcome.words


@pytest.mark.engine
class TestFailure:
    def test_a_model_that_answers_wrongly_leaves_no_candidate_and_the_old_one_in_place(
        self, bench: Bench, ollama: OllamaStandIn
    ):
        serve(bench, model(bench))
        outcome = serve(bench, model(bench, "No idea.", identity="f2"))
        assert outcome.code == 1
        for words in ("--what is it?", "is 42", "No idea.", "goes on answering"):
            assert words in outcome.words
        assert ollama.models() == ["guide:latest"]
        assert "It is 42." in ollama.manifest("guide:latest")
        assert ollama.marked() == ["f1"]

    def test_what_ollama_says_about_a_failed_create_is_passed_on(
        self, bench: Bench, ollama: OllamaStandIn
    ):
        outcome = serve(bench, replace(model(bench), modelfile="nonsense"))
        assert outcome.code == 1
        assert "| Error: no FROM line" in outcome.words
        assert ollama.models() == []

    def test_a_candidate_that_cannot_take_the_name_does_not_stay(
        self, bench: Bench, ollama: OllamaStandIn
    ):
        ollama.fail("cp")
        outcome = serve(bench, model(bench))
        assert outcome.code == 1
        assert "| Error: no space left on device" in outcome.words
        assert "volumes.ollama.host_path" in outcome.words
        assert ollama.models() == []

    def test_the_deadline_holds_inside_the_container(self, bench: Bench, ollama: OllamaStandIn):
        ollama.hold("create")
        outcome = serve(bench, model(bench, deadline_seconds=2))
        assert outcome.code == 1
        assert "deadline of 2 s" in outcome.words
        assert "ollama" not in ollama.shell("cat /proc/[0-9]*/cmdline | tr '\\0' ' '").replace(
            "ollama-server", ""
        )

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_one_that_is_called_off_while_its_model_is_asked_leaves_no_candidate(
        self, bench: Bench, ollama: OllamaStandIn, number: signal.Signals
    ):
        ollama.hold("run")
        called_off = Heard(bench.start("ollama-model", "converge", model(bench)))
        bench.wait(lambda: "f1" in " ".join(ollama.calls()) and bool(ollama.models()))
        bench.wait(lambda: any(call.startswith("run") for call in ollama.calls()))
        called_off.process.send_signal(number)
        assert called_off.end() == 130
        assert ollama.models() == []


@pytest.mark.engine
class TestNeighbours:
    """Two models of one family in one stack, at the same time."""

    @pytest.fixture
    def large(self, bench: Bench, ollama: OllamaStandIn) -> Iterator[Heard]:
        """guide:13b, whose candidate is there and is being asked."""
        ollama.hold("run")
        step = model(bench, identity="f13", served_name="guide:13b", step="large")
        heard = Heard(bench.start("ollama-model", "converge", step))
        bench.wait(lambda: any(call.startswith("run") for call in ollama.calls()))
        yield heard
        heard.give_up()

    def small(self, bench: Bench, says: str = "It is 42.") -> OllamaModelStep:
        return model(bench, says, identity="f7", served_name="guide:7b", step="small")

    def test_both_are_served(self, bench: Bench, ollama: OllamaStandIn, large: Heard):
        small = Heard(bench.start("ollama-model", "converge", self.small(bench)))
        candidates = {candidate_name(bench.stack, "f13"), candidate_name(bench.stack, "f7")}
        bench.wait(lambda: set(ollama.models()) == candidates)
        ollama.release("run")
        assert (small.end(), large.end()) == (0, 0), small.words + large.words
        assert sorted(ollama.models()) == ["guide:13b", "guide:7b"]

    def test_the_failure_of_one_is_nothing_to_the_other(
        self, bench: Bench, ollama: OllamaStandIn, large: Heard
    ):
        small = Heard(bench.start("ollama-model", "converge", self.small(bench, "No idea.")))
        bench.wait(lambda: candidate_name(bench.stack, "f7") in ollama.models())
        small.process.terminate()
        assert small.end() == 130
        assert ollama.models() == [candidate_name(bench.stack, "f13")]
        ollama.release("run")
        assert serve(bench, self.small(bench, "No idea.")).code == 1
        assert large.end() == 0, large.words
        assert ollama.models() == ["guide:13b"]


@pytest.mark.engine
class TestDelete:
    def test_a_candidate_that_was_left_behind_goes(self, bench: Bench, ollama: OllamaStandIn):
        ollama.overwrite(candidate_name(bench.stack, "f1"), "half")
        ollama.overwrite(candidate_name(bench.stack, "f2"), "others")
        outcome = bench.run("ollama-model", "delete", model(bench))
        assert outcome.result == {"removed": [candidate_name(bench.stack, "f1")]}
        assert ollama.models() == [candidate_name(bench.stack, "f2")]

    def test_a_model_whose_step_was_renamed_goes_on_answering(
        self, bench: Bench, ollama: OllamaStandIn
    ):
        old, new = model(bench, step="guide"), model(bench, step="handbook")
        served = serve(bench, old)
        calls = ollama.calls()
        assert serve(bench, new).output == served.output
        assert ollama.marker("f1")["step"] == new.name
        assert ollama.calls() == calls
        assert bench.run("ollama-model", "delete", old).result == {"removed": []}
        assert ollama.models() == ["guide:latest"]
        assert ollama.marker("f1")["step"] == new.name

    def test_without_a_server_there_is_nothing_to_remove(self, bench: Bench):
        assert bench.run("ollama-model", "delete", model(bench)).result == {"removed": []}
