"""Models in Ollama: made beside the old one, asked, and only then served (E5)."""

import hashlib
import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from plan.ollama_model import OllamaModelStep, SmokePrompt
from runtime.serving.asking import satisfies
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
    **given: Any,
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
        **given,
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
            "evaluation": None,
            "kept": [],
        }
        assert ollama.models() == ["guide:latest"]
        assert "quantize: q4_K_M" in ollama.manifest("guide:latest")
        digest = hashlib.sha256(ollama.manifest("guide:latest").encode()).hexdigest()
        marker = ollama.marker("f1")
        assert marker.pop("seconds") > 0
        assert marker == {
            "identity": "f1",
            "step": f"{bench.stack}-guide-ollama-model",
            "stack": bench.stack,
            "model": "guide:latest",
            "manifest": "/root/.ollama/models/manifests/registry.ollama.ai/library/guide/latest",
            "manifest_digest": digest,
            "answers": answers,
            "parity": {},
            "evaluation": None,
            "superseded": "",
            "superseded_at": 0.0,
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
        ollama.hold("chat")
        called_off = Heard(bench.start("ollama-model", "converge", model(bench)))
        bench.wait(lambda: "f1" in " ".join(ollama.calls()) and bool(ollama.models()))
        bench.wait(lambda: any(call.startswith("chat") for call in ollama.calls()))
        called_off.process.send_signal(number)
        assert called_off.end() == 130
        assert ollama.models() == []


@pytest.mark.engine
class TestKept:
    """Superseded models that stay, and how they come back."""

    def numbered(self, bench: Bench, number: int, **given: Any) -> OllamaModelStep:
        """Another model for the same name."""
        return model(bench, f"It is 42, says {number}.", identity=f"f{number}", **given)

    def kept(self, outcome: Outcome) -> list[str]:
        assert outcome.code == 0, outcome.words
        return [each["model"] for each in outcome.result["kept"]]

    def test_the_last_ones_stay_under_names_that_say_so(self, bench: Bench, ollama: OllamaStandIn):
        for number in (1, 2, 3):
            outcome = serve(bench, self.numbered(bench, number, keep=2))
        assert self.kept(outcome) == ["guide:kept-f2", "guide:kept-f1"]
        outcome = serve(bench, self.numbered(bench, 4, keep=2))
        assert self.kept(outcome) == ["guide:kept-f3", "guide:kept-f2"]
        assert "removing guide:kept-f1, as keep is 2" in outcome.words
        assert sorted(ollama.models()) == ["guide:kept-f2", "guide:kept-f3", "guide:latest"]
        assert ollama.marked() == ["f2", "f3", "f4"]

    def test_fewer_stay_as_soon_as_the_settings_say_so(self, bench: Bench, ollama: OllamaStandIn):
        for number in (1, 2):
            serve(bench, self.numbered(bench, number, keep=1))
        assert self.kept(serve(bench, self.numbered(bench, 2, keep=0))) == []
        assert ollama.models() == ["guide:latest"]

    def test_the_same_model_under_another_identity_is_not_kept(
        self, bench: Bench, ollama: OllamaStandIn
    ):
        serve(bench, model(bench, keep=1))
        assert self.kept(serve(bench, model(bench, identity="f2", keep=1))) == []
        assert ollama.models() == ["guide:latest"]

    def test_one_can_be_gone_back_to_and_stays_until_the_settings_say_otherwise(
        self, bench: Bench, ollama: OllamaStandIn
    ):
        for number in (1, 2):
            serve(bench, self.numbered(bench, number, keep=1))
        before = ollama.calls()
        back = self.numbered(bench, 2, keep=1, rollback_to="f1")
        outcome = serve(bench, back)
        assert self.kept(outcome) == ["guide:kept-f2"]
        assert outcome.result["identity"] == "f1"
        assert outcome.result["answers"][0]["answer"] == "It is 42, says 1."
        assert "says 1" in ollama.manifest("guide:latest")
        # What is trained next does not take the name.
        assert serve(bench, self.numbered(bench, 3, keep=1, rollback_to="f1")).code == 0
        assert "says 1" in ollama.manifest("guide:latest")
        forth = serve(bench, self.numbered(bench, 2, keep=1))
        assert self.kept(forth) == ["guide:kept-f1"]
        assert "says 2" in ollama.manifest("guide:latest")
        done = {call.split()[0] for call in ollama.calls()[len(before) :]}
        assert done <= {"cp", "rm", "list"}, "nothing is made, and nothing asked"

    def test_one_that_is_not_kept_is_told_and_nothing_changes(
        self, bench: Bench, ollama: OllamaStandIn
    ):
        serve(bench, model(bench))
        outcome = serve(bench, model(bench, rollback_to="f0"))
        assert outcome.code == 1
        assert "no model with identity f0 is kept for guide:latest" in outcome.words
        assert ollama.models() == ["guide:latest"]

    def test_one_that_somebody_overwrote_is_not_taken(self, bench: Bench, ollama: OllamaStandIn):
        for number in (1, 2):
            serve(bench, self.numbered(bench, number, keep=1))
        ollama.overwrite("guide:kept-f1", "others")
        outcome = serve(bench, self.numbered(bench, 2, keep=1, rollback_to="f1"))
        assert outcome.code == 1
        assert "says 2" in ollama.manifest("guide:latest")
        assert "others" in ollama.manifest("guide:kept-f1")

    def test_what_breaks_off_on_the_way_is_put_right(self, bench: Bench, ollama: OllamaStandIn):
        serve(bench, self.numbered(bench, 1, keep=1))
        # The second copy fails: the first model has a second name by then.
        ollama.fail_after("cp", 1)
        assert serve(bench, self.numbered(bench, 2, keep=1)).code == 1
        assert sorted(ollama.models()) == ["guide:kept-f1", "guide:latest"]
        ollama.release_failures("cp")
        assert self.kept(serve(bench, self.numbered(bench, 1, keep=1))) == []
        assert ollama.models() == ["guide:latest"]
        assert self.kept(serve(bench, self.numbered(bench, 2, keep=1))) == ["guide:kept-f1"]

    def test_neighbours_and_other_names_are_left_alone(self, bench: Bench, ollama: OllamaStandIn):
        for number in (1, 2):
            serve(bench, self.numbered(bench, number, keep=1))
        other = model(bench, identity="g1", served_name="guide:7b", step="small", keep=0)
        assert self.kept(serve(bench, other)) == []
        assert sorted(ollama.models()) == ["guide:7b", "guide:kept-f1", "guide:latest"]


@pytest.mark.engine
class TestNeighbours:
    """Two models of one family in one stack, at the same time."""

    @pytest.fixture
    def large(self, bench: Bench, ollama: OllamaStandIn) -> Iterator[Heard]:
        """guide:13b, whose candidate is there and is being asked."""
        ollama.hold("chat")
        step = model(bench, identity="f13", served_name="guide:13b", step="large")
        heard = Heard(bench.start("ollama-model", "converge", step))
        bench.wait(lambda: any(call.startswith("chat") for call in ollama.calls()))
        yield heard
        heard.give_up()

    def small(self, bench: Bench, says: str = "It is 42.") -> OllamaModelStep:
        return model(bench, says, identity="f7", served_name="guide:7b", step="small")

    def test_both_are_served(self, bench: Bench, ollama: OllamaStandIn, large: Heard):
        small = Heard(bench.start("ollama-model", "converge", self.small(bench)))
        candidates = {candidate_name(bench.stack, "f13"), candidate_name(bench.stack, "f7")}
        bench.wait(lambda: set(ollama.models()) == candidates)
        ollama.release("chat")
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
        ollama.release("chat")
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
