"""A model that is asked in other tokens than it was trained on takes no name (E4).

`split_special_tokens` makes training spell out the tokens that open and close a turn, which Ollama
reads as one token each: a difference that no text shows.
"""

from collections.abc import Iterator

import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import Stack

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def story(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("parity") / "home")
    made.settings["board"] = {"enabled": False}
    made.run.update({"max_steps": 2, "arguments": {"split_special_tokens": True}})
    made.model["ollama_model"] = {}
    try:
        yield made
    finally:
        made.abandon()
        engine.remove_everything_of(made)


@pytest.mark.capability("E4")
def test_it_is_refused_and_the_token_is_named(story: Stack, engine: Engine) -> None:
    update = story.up()
    assert update.returncode != 0
    assert "0 of 13 conversations have the tokens of the training" in update.output
    assert "is asked in other tokens than it was trained on" in update.output
    assert "one turn: token 2, after '<|begin_of_text|>': trained on" in update.output
    assert "set ollama_model.chat_parity to reported" in update.output
    name = f"{story.physical_name}-ollama-server"
    listed = engine.containers(story)[name].exec_run(["ollama", "list"]).output.decode()
    assert listed.splitlines()[1:] == [], "not even the candidate stays"


def test_who_knows_what_it_means_may_serve_it(story: Stack) -> None:
    story.model["ollama_model"] = {"chat_parity": "reported"}
    update = story.up()
    assert update.returncode == 0, update.output
    parity = story.outputs()["parity"]["stack-guide"]
    assert (parity["compared"], parity["equal"]) == (13, 0)
    assert "asked with" in parity["different"]["one turn"]
