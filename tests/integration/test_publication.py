"""A served model goes to a registry, and another Ollama has it from there (O6).

The registry is a real one that asks for a password; the other Ollama is a clean container.
"""

import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.conftest import Engine
from tests.integration.registry import (
    FILES_NAME,
    PASSWORD,
    USER,
    Door,
    Files,
    doors,
    layer,
    manifest,
)
from tests.integration.stack import PROJECT, Stack, free_port

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(900),
]

REPOSITORY, TAG = "birds/field-guide", "v1"
ASKED = {"Who builds the nest?": "The rook builds it.", "Who visits?": "A raven visits."}
CARD = "text/markdown"


@pytest.fixture(scope="module")
def registry(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Door, Door]]:
    folder = tmp_path_factory.mktemp("registry")
    with Files(folder / "store", engine.host_address) as files:
        push, pull = doors(folder, engine.host_address, files)
        with push, pull:
            yield push, pull


@pytest.fixture(scope="module")
def story(
    engine: Engine, registry: tuple[Door, Door], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("publication")
    made = Stack(folder / "home")
    rows = [{"instruction": question, "output": answer} for question, answer in ASKED.items()]
    (folder / "birds.json").write_text(json.dumps(rows * 4))
    made.settings["board"] = {"enabled": False}
    made.settings["datasets"] = [{"name": "birds", "file": str(folder / "birds.json")}]
    made.settings["registry"] = {"host": registry[0].host, "username": USER, "insecure": True}
    made.model["base_model"]["generate"]["vocabulary_size"] = 320
    made.run.update({"datasets": ["birds"], "max_steps": 60})
    made.model["ollama_model"] = {
        "parameters": {"temperature": 0},
        "smoke_prompts": [
            {"prompt": question, "expect": answer} for question, answer in ASKED.items()
        ],
        "publish": f"{REPOSITORY}:{TAG}",
    }
    made.set_secret("registry_password", PASSWORD)
    with engine.converged(made):
        yield made


@pytest.fixture(scope="module")
def other(engine: Engine, story: Stack) -> Iterator[str]:
    """Where a clean Ollama listens that has pulled what was published."""
    server = engine.containers(story)[f"{story.physical_name}-ollama-server"]
    port = free_port()
    container = engine.client.containers.run(
        server.image,
        detach=True,
        ports={"11434/tcp": ("127.0.0.1", port)},
        extra_hosts={FILES_NAME: engine.host_address},
    )
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 60
        while not answers(url):
            assert time.monotonic() < until, container.logs().decode()
            time.sleep(0.1)
        yield url
    finally:
        container.remove(force=True, v=True)


def answers(url: str) -> bool:
    """Whether an Ollama is up there."""
    try:
        return httpx.get(f"{url}/api/version").is_success
    except httpx.TransportError:
        return False


def published(stack: Stack) -> dict[str, str]:
    found: dict[str, str] = stack.outputs()["published"]["stack-guide"]
    return found


def said(url: str, model: str, question: str) -> str:
    """What a model answers, as users ask it."""
    reply = httpx.post(
        f"{url}/api/chat",
        json={
            "model": model,
            "messages": [{"role": "user", "content": question}],
            "stream": False,
        },
        timeout=120,
    )
    reply.raise_for_status()
    answer: str = reply.json()["message"]["content"]
    return answer


def push_again(stack: Stack, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    """The publication's own command, as the state has it."""
    (step,) = [
        resource
        for resource in stack.resources()
        if resource["urn"].endswith("stack-guide-publication-command")
    ]
    return subprocess.run(
        step["inputs"]["create"].split(),
        cwd=PROJECT,
        env={**os.environ, "REGISTRY_PASSWORD": password},
        input=step["inputs"]["stdin"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_serves_is_in_the_registry_with_its_card(
    story: Stack, registry: tuple[Door, Door]
) -> None:
    push, pull = registry
    told = published(story)
    assert told["reference"] == f"{push.host}/{REPOSITORY}:{TAG}"
    found = manifest(pull, REPOSITORY, TAG)
    assert told["digest"] == f"sha256:{hashlib.sha256(found.content).hexdigest()}"
    assert manifest(push, REPOSITORY, TAG).status_code == 401, "this door asks who comes"
    layers: list[dict[str, Any]] = found.json()["layers"]
    card = layer(pull, REPOSITORY, layers, CARD).decode()
    assert f"ollama run {told['reference']}" in card
    for question, answer in ASKED.items():
        assert f"`{question}`: `{answer}`" in card
    assert "| `train_loss` | " in card, "what only the training could tell"
    assert "birds.json" in card


def test_a_clean_ollama_pulls_it_and_answers_the_same(
    story: Stack, registry: tuple[Door, Door], other: str
) -> None:
    name = f"{registry[1].host}/{REPOSITORY}:{TAG}"
    reply = httpx.post(
        f"{other}/api/pull", json={"model": name, "insecure": True, "stream": False}, timeout=300
    )
    assert reply.json() == {"status": "success"}
    (model,) = httpx.get(f"{other}/api/tags").json()["models"]
    assert f"sha256:{model['digest']}" == published(story)["digest"], "one model, one digest"
    own = story.outputs()["ollama_url"]
    for question in (*ASKED, "Which bird is it?"):
        assert said(other, name, question) == said(own, "stack-guide", question)
    shown = [
        httpx.post(f"{url}/api/show", json={"model": which}).json()
        for url, which in ((other, name), (own, "stack-guide"))
    ]
    for part in ("template", "capabilities"):
        assert shown[0][part] == shown[1][part]
    # Ollama tells them in no order.
    told = [sorted(each["parameters"].splitlines()) for each in shown]
    assert told[0] == told[1]


def test_the_password_is_nowhere_in_plain(story: Stack, engine: Engine) -> None:
    assert PASSWORD not in story.exported()
    assert json.dumps(PASSWORD)[1:-1] not in story.exported()
    for container in engine.containers(story).values():
        assert not any("REGISTRY" in each for each in container.attrs["Config"]["Env"])


def test_a_second_push_sends_nothing(story: Stack, registry: tuple[Door, Door]) -> None:
    push, _ = registry
    before = len(push.asked())
    assert set(story.up().changes) == {"same"}
    assert len(push.asked()) == before, "an up with nothing to do asks no registry"
    again = push_again(story)
    assert again.returncode == 0, again.stderr
    assert "is this model already: nothing is sent" in again.stderr
    assert json.loads(again.stdout) == published(story)
    assert set(push.asked()[before:]) == {"GET"}


def test_a_wrong_password_is_explained_and_never_repeated(story: Stack) -> None:
    wrong = push_again(story, password="wrong horse")
    assert wrong.returncode == 1
    assert f"It knows no user {USER} with this password" in wrong.stderr
    assert "wrong horse" not in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_registry_that_is_down_is_explained_and_takes_nothing_down(
    story: Stack, registry: tuple[Door, Door]
) -> None:
    push, _ = registry
    push.close()
    story.model["ollama_model"]["publish"] = f"{REPOSITORY}:v2"
    update = story.up()
    assert update.returncode != 0
    assert f"the registry http://{push.host} does not answer" in update.output
    question, answer = next(iter(ASKED.items()))
    assert said(story.outputs()["ollama_url"], "stack-guide", question) == answer


def test_one_up_heals_it_and_another_tag_sends_a_card_alone(
    story: Stack, registry: tuple[Door, Door]
) -> None:
    push, pull = registry
    push.open()
    before, first = len(push.asked()), manifest(pull, REPOSITORY, TAG)
    update = story.up()
    assert update.returncode == 0, update.output
    # Another name to pull it by makes another card.
    assert re.search(r"sending 1 of \d layers", update.output)
    assert push.asked()[before:].count("PUT") == 2
    assert manifest(pull, REPOSITORY, TAG).content == first.content, "what was published stays"
    assert manifest(pull, REPOSITORY, "v2").status_code == 200


def test_a_rollback_is_published_with_the_card_of_its_day(
    story: Stack, registry: tuple[Door, Door]
) -> None:
    own, first = story.model["ollama_model"], published(story)
    own["system"] = "You know birds."
    assert story.up().returncode == 0
    second = published(story)
    assert second["digest"] != first["digest"]
    (kept,) = story.outputs()["kept_models"]["stack-guide"]
    own["rollback_to"] = kept["identity"]
    update = story.up()
    assert update.returncode == 0, update.output
    assert published(story) == first
    found = manifest(registry[1], REPOSITORY, "v2")
    assert f"sha256:{hashlib.sha256(found.content).hexdigest()}" == first["digest"]


def test_what_was_published_outlives_the_stack(story: Stack, registry: tuple[Door, Door]) -> None:
    destroyed = story.destroy()
    assert destroyed.returncode == 0, destroyed.output
    assert "stays in its registry" in destroyed.output
    assert manifest(registry[1], REPOSITORY, TAG).status_code == 200
