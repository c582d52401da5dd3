"""A stack that the version before has made goes on with this one (state: `recorded_state.json`).

The recorded stack is the demo. Its volumes and its network are there, with the labels they had;
what lay in them is not, so that everything is made once more. Takes about a minute.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import LABEL, Stack

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]

RECORDED = Path(__file__).with_name("recorded_state.json")
RECORDED_STACK = "demo"
KEPT = ("docker:index/volume:Volume", "docker:index/network:Network")


@pytest.fixture
def recorded(home: Path, engine: Engine) -> Iterator[Stack]:
    """A stack in the state that the version before left it in."""
    stack = Stack(home)
    text = RECORDED.read_text().replace(f"finetune-stack-{RECORDED_STACK}", stack.physical_name)
    state = json.loads(text.replace(f"urn:pulumi:{RECORDED_STACK}::", f"urn:pulumi:{stack.name}::"))
    labels = {LABEL: stack.physical_name}
    for resource in state["deployment"]["resources"]:
        name = resource.get("outputs", {}).get("name", "")
        if resource["type"] == KEPT[0]:
            engine.client.volumes.create(name, labels=labels)
        if resource["type"] == KEPT[1]:
            resource["id"] = engine.client.networks.create(name, labels=labels).id
    stack.import_state(state)
    try:
        yield stack
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)


def kept(stack: Stack) -> dict[str, Any]:
    return {
        resource["urn"]: resource["id"]
        for resource in stack.resources()
        if resource["type"] in KEPT
    }


@pytest.mark.nightly
def test_it_converges_without_a_replaced_volume_or_network(recorded: Stack):
    before = kept(recorded)
    update = recorded.up()
    assert update.returncode == 0, update.output
    assert kept(recorded) == before
    (given,) = recorded.outputs()["smoke_answers"]
    assert recorded.model["ollama_model"]["smoke_prompts"][0]["expect"] in given["answer"]
    assert recorded.up().changes.keys() == {"same"}


def test_it_is_destroyed_by_the_commands_that_it_recorded(recorded: Stack, engine: Engine):
    update = recorded.destroy()
    assert update.returncode == 0, update.output
    assert engine.volumes(recorded) == set()
    assert engine.networks(recorded) == set()
    assert recorded.resources() == []
