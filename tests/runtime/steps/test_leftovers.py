"""What steps left behind goes before the volumes that it holds, and nothing else does."""

from typing import Any

import docker
import pytest

from plan.container import Mount
from plan.owner import Owner
from plan.step import LeftoversStep
from runtime.docker import containers
from runtime.docker.containers import step_labels
from runtime.docker.engine import Engine
from runtime.host.place import HELPER, look_into
from tests.runtime.conftest import IMAGE, TEST_LABEL, Bench

pytestmark = pytest.mark.engine


def make(bench: Bench, name: str, *, owner: Owner, step: str | None) -> str:
    """A container that mounts the output volume; its name."""
    given = owner.labels if step is None else step_labels(owner, step, "f1")
    container = bench.client.containers.create(
        IMAGE,
        ["sleep", "600"],
        name=f"{bench.stack}-{name}",
        init=True,
        network_mode="none",
        volumes={bench.volume: {"bind": "/app/output", "mode": "rw"}},
        labels={**given, TEST_LABEL: bench.stack},
    )
    return str(container.name)


@pytest.fixture
def step(bench: Bench) -> LeftoversStep:
    bench.make_volume()
    return LeftoversStep(name=f"{bench.stack}-leftovers")


def test_every_step_container_of_the_owner_goes_whatever_its_state(
    bench: Bench, step: LeftoversStep
):
    running = make(bench, "sft", owner=bench.owner, step="sft")
    bench.client.containers.get(running).start()
    bench.converge(bench.step("exit 3", name=f"{bench.stack}-failed"))
    assert bench.container("failed").status == "exited"
    make(bench, "merge", owner=bench.owner, step="merge")
    make(bench, "look", owner=bench.owner, step=HELPER)
    # One that a version without owners made.
    make(bench, "old", owner=Owner(stack=bench.stack), step="old")
    outcome = bench.run("leftovers", "delete", step)
    assert outcome.result == {"removed": 5}
    for name in ("sft", "failed", "merge", "look", "old"):
        assert bench.container(name) is None
    bench.client.volumes.get(bench.volume).remove()


def test_services_and_other_owners_are_left_alone(bench: Bench, step: LeftoversStep):
    make(bench, "service", owner=bench.owner, step=None)
    make(bench, "another-user", owner=Owner(stack=bench.stack, id="another"), step="sft")
    make(bench, "another-stack", owner=Owner(stack=f"{bench.stack}-two"), step="sft")
    assert bench.run("leftovers", "delete", step).result == {"removed": 0}
    assert {each.name.removeprefix(bench.stack) for each in labelled(bench)} == {
        "-service",
        "-another-user",
        "-another-stack",
    }


def test_nothing_is_taken_while_the_stack_lives(bench: Bench, step: LeftoversStep):
    make(bench, "sft", owner=bench.owner, step="sft")
    assert bench.run("leftovers", "converge", step).result == {}
    assert bench.container() is not None


def labelled(bench: Bench) -> list[Any]:
    return list(
        bench.client.containers.list(all=True, filters={"label": f"{TEST_LABEL}={bench.stack}"})
    )


def test_the_image_of_a_look_that_was_killed_goes_too(
    bench: Bench, step: LeftoversStep, engine: Engine
):
    mount = Mount(source=bench.volume, target="/somewhere", read_only=True)
    look = look_into(engine, bench.owner, {mount})
    place = look.__enter__()
    assert place is not None
    image = containers.inspect(engine, place.container)["Config"]["Image"]
    assert bench.run("leftovers", "delete", step).result == {"removed": 2}
    with pytest.raises(docker.errors.ImageNotFound):
        bench.client.images.get(image)
