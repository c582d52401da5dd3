"""The stack takes the host for itself, once, and stays where it lives."""

import json
from typing import Any

import pytest

from plan import labels
from plan.owner import Owner
from plan.step import HostClaimStep
from runtime.docker.containers import step_labels
from runtime.host.claim import PREVIOUS
from tests.runtime.conftest import IMAGE, TEST_LABEL, Bench, Outcome

pytestmark = pytest.mark.engine


def claim(bench: Bench, *, said_before: Any = None) -> Outcome:
    """What an `up` asks for; `said_before` is what pulumi-command kept of the one before."""
    step = HostClaimStep(name=f"{bench.stack}-host-claim")
    before = {} if said_before is None else {PREVIOUS: json.dumps(said_before)}
    return bench.run("host-claim", "converge", step, owner=Owner(stack=bench.stack), **before)


def test_the_first_claim_draws_an_id_and_the_next_ones_keep_it(bench: Bench):
    first = claim(bench).result
    assert len(first["owner_id"]) == 12
    assert first["engine_id"] == bench.client.info()["ID"]
    assert claim(bench, said_before=first).result == first


def test_two_first_claims_draw_two_ids(bench: Bench):
    assert claim(bench).result["owner_id"] != claim(bench).result["owner_id"]


@pytest.mark.parametrize("kind", ["network", "container", "both"])
def test_a_stack_of_that_name_that_lives_here_is_not_taken_apart(bench: Bench, kind: str):
    others = Owner(stack=bench.stack, id=claim(bench).result["owner_id"])
    network, container = f"{bench.stack}-network", f"{bench.stack}-board"
    if kind != "container":
        bench.client.networks.create(network, labels=others.labels)
    if kind != "network":
        bench.client.containers.create(IMAGE, "true", name=container, labels=others.labels)
    try:
        outcome = claim(bench)
        assert (outcome.code, outcome.output) == (1, "")
        assert f"another stack called {bench.stack} lives on this engine" in outcome.words
        assert (network in outcome.words) == (kind != "container")
        assert (container in outcome.words) == (kind != "network")
        # Who lives here is not asked again.
        mine = {"owner_id": others.id, "engine_id": bench.client.info()["ID"]}
        assert claim(bench, said_before=mine).result == mine
    finally:
        for made in bench.client.networks.list(names=[network]):
            made.remove()


def test_retained_volumes_alone_are_adopted(bench: Bench):
    bench.client.volumes.create(bench.volume, labels=Owner(stack=bench.stack, id="before").labels)
    assert claim(bench).code == 0


def test_another_stacks_things_are_nothing_to_it(bench: Bench):
    others = Owner(stack=f"{bench.stack}-two", id="another")
    given = {**step_labels(others, "sft"), TEST_LABEL: bench.stack}
    bench.client.containers.create(IMAGE, "true", labels=given)
    # And what a version that drew no ids left of this one is its own.
    bench.client.containers.create(IMAGE, "true", labels={labels.STACK: bench.stack})
    assert claim(bench).code == 0


def test_a_stack_that_lives_on_another_engine_stays_there(bench: Bench):
    first = claim(bench).result
    outcome = claim(bench, said_before={**first, "engine_id": "another"})
    assert (outcome.code, outcome.output) == (1, "")
    assert f"stack {bench.stack} lives on another Docker engine than" in outcome.words
    assert "host.engine" in outcome.words


def test_deleting_the_claim_asks_no_engine(bench: Bench):
    step = HostClaimStep(name=f"{bench.stack}-host-claim")
    bench.engine = "tcp://127.0.0.1:1"
    assert bench.run("host-claim", "delete", step).result == {}
