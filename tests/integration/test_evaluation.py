"""A new model takes the name when it answers well enough, and can give it back (O2).

A tiny model is trained once, on one answer of many words. How much of the answer a model gives is
then a matter of its stop word: worse and better ones are planted by the settings, and everything
that judges them is real.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.conftest import Engine
from tests.integration.judge import JudgeServer
from tests.integration.stack import Stack, Update

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1500)]

WORDS = (
    *("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india"),
    *("juliett", "kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo"),
    *("sierra", "tango", "uniform", "victor", "whiskey", "xray", "yankee", "zulu"),
)
ANSWER = " ".join(WORDS)
ASKED = "Say the alphabet."
HELD_OUT = "Please say the alphabet."


def plant(stack: Stack, words: int) -> None:
    """Let the model give so many words of its answer."""
    stack.model["ollama_model"]["parameters"] = {
        "temperature": 0,
        "stop": [WORDS[words]] if words < len(WORDS) else [],
    }


def reached(words: int) -> float:
    """F1 and ROUGE-L of an answer of so many words."""
    return 2 * words / (words + len(WORDS))


def said(stack: Stack, name: str = "stack-guide") -> int:
    """How many words of the answer a model gives to its users."""
    reply = httpx.post(
        f"{stack.outputs()['ollama_url']}/api/chat",
        json={
            "model": name,
            "messages": [{"role": "user", "content": ASKED}],
            "stream": False,
        },
        timeout=60,
    )
    reply.raise_for_status()
    words: list[str] = reply.json()["message"]["content"].split()
    assert words == list(WORDS[: len(words)])
    return len(words)


def names(stack: Stack) -> set[str]:
    listed = httpx.get(f"{stack.outputs()['ollama_url']}/api/tags", timeout=30).json()
    return {model["name"] for model in listed["models"]}


def make(folder: Path) -> Stack:
    made = Stack(folder / "home")
    for name, question in (("trained", ASKED), ("held-out", HELD_OUT)):
        file = folder / f"{name}.json"
        file.write_text(json.dumps([{"instruction": question, "output": ANSWER}]))
    made.settings["board"] = {"enabled": False}
    made.settings["datasets"] = [
        {"name": name, "file": str(folder / f"{name}.json")} for name in ("trained", "held-out")
    ]
    made.run.update({"datasets": ["trained"], "max_steps": 40})
    made.model["ollama_model"] = {
        "evaluation": {
            "dataset": "held-out",
            "measures": {"rouge_l": {}, "f1": {}},
            # A base that knows nothing never comes to an end.
            "max_tokens": 100,
        }
    }
    return made


@pytest.fixture(scope="module")
def story(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = make(tmp_path_factory.mktemp("evaluation"))
    plant(made, 10)
    made.model["ollama_model"]["evaluation"]["base"] = True
    with engine.converged(made):
        yield made


def up(stack: Stack, engine: Engine) -> Update:
    """An up that starts no container."""
    moment = time.time()
    update = stack.up()
    assert update.returncode == 0, update.output
    assert engine.started_since(stack, moment) == []
    return update


def record(stack: Stack, engine: Engine) -> dict[str, Any]:
    """The answers of the last evaluation, side by side."""
    path = stack.outputs()["evaluations"]["stack-guide"]["record"]
    server = engine.containers(stack)[f"{stack.physical_name}-ollama-server"]
    found: dict[str, Any] = json.loads(server.exec_run(["cat", path]).output)
    return found


def test_the_first_model_is_compared_with_its_base(story: Stack, engine: Engine) -> None:
    told = story.outputs()["evaluations"]["stack-guide"]
    assert told["questions"] == 1
    assert told["scores"]["candidate"] == pytest.approx({"rouge_l": reached(10), "f1": reached(10)})
    assert told["scores"]["base"]["rouge_l"] < 0.2
    assert "served" not in told["scores"]
    (asked,) = record(story, engine)["asked"]
    assert asked["question"]["messages"] == [{"role": "user", "content": HELD_OUT}]
    assert asked["answers"]["candidate"]["text"] == " ".join(WORDS[:10])
    assert asked["answers"]["base"]["text"] != asked["answers"]["candidate"]["text"]
    assert names(story) == {"stack-guide:latest"}, "neither base nor candidate stays"


@pytest.mark.capability("E5")
def test_a_worse_model_does_not_take_the_name(story: Stack, engine: Engine) -> None:
    plant(story, 9)
    moment = time.time()
    update = story.up()
    assert update.returncode != 0
    assert engine.started_since(story, moment) == [], "and nothing is trained for it"
    assert "the new model for stack-guide:latest answers worse" in update.output
    assert f"rouge_l is {reached(9):.3f}, and the model that serves has" in update.output
    assert f"asked:     {HELD_OUT}" in update.output
    assert f"candidate: {' '.join(WORDS[:9])}\n" in update.output
    assert f"served:    {' '.join(WORDS[:10])}\n" in update.output
    assert "The stack-guide:latest served before goes on answering" in update.output
    assert said(story) == 10
    assert names(story) == {"stack-guide:latest"}


@pytest.mark.nightly
def test_one_that_is_better_by_less_than_the_margin_does_not_either(story: Stack) -> None:
    plant(story, 12)
    measures = story.model["ollama_model"]["evaluation"]["measures"]
    measures["rouge_l"]["margin"] = 0.1
    update = story.up()
    assert update.returncode != 0
    assert "evaluation.measures.rouge_l.margin is 0.1" in update.output
    assert said(story) == 10


@pytest.mark.capability("E5")
def test_a_better_one_does_and_the_other_is_kept(story: Stack, engine: Engine) -> None:
    plant(story, 20)
    update = up(story, engine)
    assert "evaluate stack-guide:latest: it answers as the settings ask for" in update.output
    assert said(story) == 20
    (kept,) = story.outputs()["kept_models"]["stack-guide"]
    assert names(story) == {"stack-guide:latest", kept["model"]}
    assert kept["model"] == f"stack-guide:kept-{kept['identity']}"
    assert said(story, kept["model"]) == 10
    scores = story.outputs()["evaluations"]["stack-guide"]["scores"]
    assert scores["candidate"]["rouge_l"] == pytest.approx(reached(20))
    assert scores["served"]["rouge_l"] == pytest.approx(reached(10))


def test_with_nothing_changed_nothing_is_asked_again(story: Stack, engine: Engine) -> None:
    update = up(story, engine)
    assert set(update.changes) == {"same"}


@pytest.mark.nightly
def test_another_evaluation_asks_again_and_takes_nothing_down(story: Stack, engine: Engine) -> None:
    evaluation = story.model["ollama_model"]["evaluation"]
    with JudgeServer(verdict=7, key="sk-judge") as judge:
        story.set_secret("judge_key", "sk-judge")
        evaluation["measures"]["judge"] = {"url": judge.url, "model": "large", "required": 0.8}
        failed = story.up()
        assert failed.returncode != 0
        assert "judge is 0.700, and evaluation.measures.judge.required is 0.8" in failed.output
        assert said(story) == 20
        evaluation["measures"]["judge"]["required"] = 0.7
        up(story, engine)
        assert "sk-judge" not in json.dumps(story.resources())
        assert judge.refused == 0
    told = story.outputs()["evaluations"]["stack-guide"]["scores"]
    assert told["candidate"]["judge"] == pytest.approx(0.7)
    assert "served" not in told, "it need not be better than itself"
    del evaluation["measures"]["judge"]


def test_a_rollback_takes_seconds_and_stays(story: Stack, engine: Engine) -> None:
    (kept,) = story.outputs()["kept_models"]["stack-guide"]
    story.model["ollama_model"]["rollback_to"] = kept["identity"]
    previewed = story.preview()
    assert previewed.returncode == 0, previewed.stdout
    told = f"stack-guide:latest becomes model {kept['identity']}, as rollback_to asks"
    assert told in previewed.stdout
    update = up(story, engine)
    assert "creating it as" not in update.output
    assert said(story) == 10
    again = up(story, engine)
    assert set(again.changes) == {"same"}
    assert said(story) == 10
    (other,) = story.outputs()["kept_models"]["stack-guide"]
    assert said(story, other["model"]) == 20


def test_one_that_is_not_kept_is_refused_before_anything_runs(story: Stack) -> None:
    own = story.model["ollama_model"]
    good, own["rollback_to"] = own["rollback_to"], "0123456789abcdef"
    previewed = story.preview()
    own["rollback_to"] = good
    assert previewed.returncode != 0
    assert (
        "models[0].ollama_model.rollback_to is '0123456789abcdef': no model of that identity is "
        "kept for stack-guide:latest" in previewed.stdout
    )


def test_without_the_setting_the_trained_model_has_its_name_again(
    story: Stack, engine: Engine
) -> None:
    del story.model["ollama_model"]["rollback_to"]
    update = up(story, engine)
    assert "creating it as" not in update.output
    assert said(story) == 20


def test_a_held_out_row_that_is_trained_on_is_refused(story: Stack) -> None:
    evaluation = story.model["ollama_model"]["evaluation"]
    evaluation["rows"] = [{"prompt": f"{ASKED} ", "expect": "alpha"}]
    previewed = story.preview()
    del evaluation["rows"]
    assert previewed.returncode != 0
    assert "data set trained trains on what it asks (row 1)" in previewed.stdout


def test_a_destroy_takes_kept_models_and_records_too(story: Stack, engine: Engine) -> None:
    assert len(names(story)) == 2
    assert story.destroy().returncode == 0
    assert engine.volumes(story) == set()


@pytest.mark.nightly
def test_twenty_worse_models_never_have_the_name_and_twenty_better_ones_do(
    engine: Engine, tmp_path: Path
) -> None:
    stack = make(tmp_path)
    try:
        plant(stack, 21)
        assert stack.up().returncode == 0
        for words in range(20, 0, -1):
            plant(stack, words)
            assert stack.up().returncode != 0, words
            assert said(stack) == 21
            assert len(names(stack)) == 1
        # Whoever says so serves a worse one.
        stack.model["ollama_model"]["evaluation"]["measures"]["rouge_l"]["margin"] = -1
        stack.model["ollama_model"]["evaluation"]["measures"]["f1"]["margin"] = -1
        plant(stack, 1)
        assert stack.up().returncode == 0
        stack.model["ollama_model"]["evaluation"]["measures"] = {"rouge_l": {"margin": 0.01}}
        for words in range(2, 22):
            plant(stack, words)
            update = stack.up()
            assert update.returncode == 0, update.output
            assert said(stack) == words
            assert len(names(stack)) == 2, "the one before is kept, and no other"
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)
