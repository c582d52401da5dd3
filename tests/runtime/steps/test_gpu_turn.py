"""Trainings that take all the GPUs of a host go one after another.

A device node that every host has stands for a GPU: what counts is who waits for whom.
"""

import signal
from collections.abc import Iterator

import pytest

from plan import labels
from plan.container import Accelerator
from plan.step import ContainerStepPlan
from tests.runtime.conftest import TEST_LABEL, Bench, Heard

pytestmark = pytest.mark.engine

ON_GPU = {"accelerator": Accelerator(devices=("/dev/null",))}
TRAIN = "touch $partial/on; while [ -e $partial/on ]; do sleep 0.1; done; mv $partial $artefact"
AT_ONCE = "mv $partial $artefact"


def training(bench: Bench, name: str, script: str) -> ContainerStepPlan:
    return bench.step(
        script,
        name=f"{bench.stack}-{name}",
        identity=name,
        container=ON_GPU,
        results=None,
        progress_log=None,
    )


@pytest.fixture
def first(bench: Bench) -> Iterator[Heard]:
    """A training that has the GPUs until its file `on` is removed."""
    heard = Heard(bench.start("training-run", "converge", training(bench, "first", TRAIN)))
    bench.wait(lambda: bench.is_running("first"))
    yield heard
    heard.give_up()


@pytest.fixture
def second(bench: Bench, first: Heard) -> Iterator[Heard]:
    """One that waits for the first."""
    heard = Heard(bench.start("training-run", "converge", training(bench, "second", AT_ONCE)))
    bench.wait(lambda: "waits for the GPUs" in heard.words)
    yield heard
    heard.give_up()


def let_go(bench: Bench) -> None:
    bench.wait(lambda: "on" in bench.shell("ls /app/output/runs/first.partial"))
    bench.shell("rm /app/output/runs/first.partial/on")


def test_the_second_waits_until_the_first_has_ended(bench: Bench, first: Heard, second: Heard):
    assert f"{bench.stack}-first has them" in second.words
    assert bench.container("second").status == "created"
    let_go(bench)
    assert first.end() == 0
    assert second.end() == 0, second.words
    assert bench.containers() == []


def test_what_shares_well_does_not_wait(bench: Bench, first: Heard):
    on_processor = bench.step(AT_ONCE, name=f"{bench.stack}-cpu", results=None)
    assert bench.converge(on_processor).code == 0
    assert first.process.poll() is None


@pytest.mark.parametrize("script", ["exit 3", AT_ONCE])
def test_one_that_has_ended_keeps_nobody_waiting(bench: Bench, script: str):
    ended = bench.client.containers.create(
        bench.step("").container.image,
        ["sh", "-c", "true" if script == AT_ONCE else script],
        network_mode="none",
        labels={labels.ACCELERATOR: "all", TEST_LABEL: bench.stack},
    )
    ended.start()
    ended.wait()
    outcome = bench.converge(training(bench, "second", AT_ONCE))
    assert outcome.code == 0, outcome.words
    assert "waits" not in outcome.words


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_is_called_off_while_it_waits_leaves_no_container(
    bench: Bench, first: Heard, second: Heard, number: signal.Signals
):
    second.process.send_signal(number)
    assert second.end() == 130
    assert bench.container("second") is None
    assert first.process.poll() is None


def test_one_whose_container_is_removed_while_it_waits_says_so(
    bench: Bench, first: Heard, second: Heard
):
    bench.container("second").remove(force=True)
    bench.wait(lambda: "its container is gone" in second.words)
    let_go(bench)
    assert second.end() == 0, second.words
    assert first.end() == 0


def test_one_that_came_before_and_is_not_started_is_named(bench: Bench):
    before = training(bench, "before", AT_ONCE)
    bench.client.containers.create(
        before.container.image,
        "true",
        name=before.name,
        labels={labels.ACCELERATOR: "all", TEST_LABEL: bench.stack},
    )
    late = Heard(bench.start("training-run", "converge", training(bench, "late", AT_ONCE)))
    bench.wait(lambda: f"{before.name} came before it" in late.words)
    bench.client.containers.get(before.name).remove()
    assert late.end() == 0, late.words
