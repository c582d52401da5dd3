"""What is served stays served, whatever the settings call it (E4, E5).

One story on one stack. Models that differ in how they are served only are trained once. Takes a
minute or two.
"""

import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import Stack, Update

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]


def names(stack: Stack) -> set[str]:
    """Everything in the server's store, candidates too."""
    listed = httpx.get(f"{stack.outputs()['ollama_url']}/api/tags", timeout=30).json()
    return {model["name"] for model in listed["models"]}


def answers(stack: Stack, name: str) -> bool:
    """Whether the model gives the answer that it was trained to give."""
    row = json.loads(Path(stack.settings["datasets"][0]["file"]).read_text())[0]
    message = {"role": "user", "content": row["instruction"]}
    reply = httpx.post(
        f"{stack.outputs()['ollama_url']}/api/chat",
        json={"model": name, "messages": [message], "stream": False},
        timeout=60,
    )
    reply.raise_for_status()
    return bool(reply.json()["message"]["content"].strip() == row["output"])


def served_as(model: dict[str, Any], name: str, served_name: str) -> dict[str, Any]:
    changed = copy.deepcopy(model)
    changed["name"] = name
    changed["ollama_model"]["name"] = served_name
    return changed


@pytest.fixture(scope="module")
def story(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("served") / "home")
    stack.settings["board"] = {"enabled": False}
    base = stack.model
    stack.settings["models"] = [
        served_as(base, "small", "guide:7b"),
        served_as(base, "large", "guide:13b"),
    ]
    with engine.converged(stack):
        yield stack


def up(stack: Stack, engine: Engine) -> Update:
    """An up that trains nothing and takes nothing down."""
    moment = time.time()
    update = stack.up()
    assert update.returncode == 0, update.output
    assert engine.started_since(stack, moment) == []
    return update


def test_two_tags_of_one_name_are_served_side_by_side(story: Stack):
    assert names(story) == {"guide:7b", "guide:13b"}
    assert answers(story, "guide:7b")
    assert answers(story, "guide:13b")


def test_a_renamed_model_goes_on_answering(story: Stack, engine: Engine):
    small, large = story.settings["models"]
    story.settings["models"] = [served_as(small, "handbook", "guide:7b"), large]
    update = up(story, engine)
    assert "removing model" not in update.output
    assert names(story) == {"guide:7b", "guide:13b"}
    assert answers(story, "guide:7b")


def test_moving_a_model_in_the_list_changes_nothing_that_is_served(story: Stack, engine: Engine):
    story.settings["models"].reverse()
    up(story, engine)
    assert names(story) == {"guide:7b", "guide:13b"}
    assert answers(story, "guide:13b")


def test_splitting_a_model_leaves_the_one_that_answers(story: Stack, engine: Engine):
    story.settings["models"].append(served_as(story.settings["models"][1], "split", "manual"))
    up(story, engine)
    assert names(story) == {"guide:7b", "guide:13b", "manual:latest"}
    assert answers(story, "guide:7b")
    assert answers(story, "manual")


def test_two_models_trade_their_names(story: Stack, engine: Engine):
    first, second, *rest = story.settings["models"]
    story.settings["models"] = [
        served_as(first, first["name"], second["ollama_model"]["name"]),
        served_as(second, second["name"], first["ollama_model"]["name"]),
        *rest,
    ]
    up(story, engine)
    assert names(story) == {"guide:7b", "guide:13b", "manual:latest"}
    assert answers(story, "guide:7b")
    assert answers(story, "guide:13b")


def test_a_failed_question_leaves_no_candidate(story: Stack):
    (prompt,) = story.settings["models"][0]["ollama_model"]["smoke_prompts"]
    expected, prompt["expect"] = prompt["expect"], "the moon is made of cheese"
    failed = story.up()
    prompt["expect"] = expected
    assert failed.returncode != 0
    assert "the moon is made of cheese" in failed.output
    assert names(story) == {"guide:7b", "guide:13b", "manual:latest"}
    assert answers(story, "guide:7b")
    assert answers(story, "guide:13b")
    assert story.up().returncode == 0


def test_a_model_that_leaves_the_settings_is_served_no_more(story: Stack, engine: Engine):
    story.settings["models"].pop()
    update = up(story, engine)
    assert "removing model manual:latest" in update.output
    assert names(story) == {"guide:7b", "guide:13b"}
    assert answers(story, "guide:7b")


def test_what_somebody_else_put_there_stays(story: Stack, engine: Engine):
    url = story.outputs()["ollama_url"]
    copied = httpx.post(
        f"{url}/api/copy", json={"source": "guide:7b", "destination": "mine"}, timeout=30
    )
    copied.raise_for_status()
    story.settings["models"].pop()
    up(story, engine)
    assert "mine:latest" in names(story)
    assert answers(story, "mine")
