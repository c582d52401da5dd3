"""What the engine is told about a container, as the engine itself tells it back (F6, F7, T8)."""

from typing import Any

import pytest

from plan import labels
from plan.container import MIB, Accelerator, Container, Mount
from plan.owner import Owner
from runtime.docker import containers
from runtime.docker.containers import step_labels
from runtime.docker.engine import Engine
from runtime.failure import StepError
from tests.runtime.conftest import IMAGE, TEST_LABEL, Bench

pytestmark = pytest.mark.engine


def told(bench: Bench, engine: Engine, container: Container) -> dict[str, Any]:
    """What the engine says of a container that was made from a plan."""
    given = step_labels(bench.owner, "sft", "f1")
    containers.create(engine, f"{bench.stack}-sft", container, given)
    attributes: dict[str, Any] = bench.container().attrs
    return attributes


def test_an_accelerator_is_handed_over(bench: Bench, engine: Engine):
    accelerator = Accelerator(
        gpus="all",
        devices=("/dev/null",),
        groups=("video",),
        host_mounts=("/etc/hostname",),
        security_opts=("seccomp=unconfined",),
    )
    host = told(bench, engine, Container(image=IMAGE, accelerator=accelerator))["HostConfig"]
    (request,) = host["DeviceRequests"]
    assert (request["Count"], request["Capabilities"]) == (-1, [["gpu"]])
    assert host["Devices"][0]["PathInContainer"] == "/dev/null"
    assert host["GroupAdd"] == ["video"]
    assert host["SecurityOpt"] == ["seccomp=unconfined"]
    (driver,) = host["Mounts"]
    assert (driver["Type"], driver["Target"], driver["ReadOnly"]) == (
        "bind",
        "/etc/hostname",
        True,
    )


def test_a_number_of_gpus_is_a_number_of_devices(bench: Bench, engine: Engine):
    container = Container(image=IMAGE, accelerator=Accelerator(gpus="2"))
    host = told(bench, engine, container)["HostConfig"]
    assert host["DeviceRequests"][0]["Count"] == 2


def test_mounts_shared_memory_labels_and_an_init_process(bench: Bench, engine: Engine):
    container = Container(
        image=IMAGE,
        command=("true",),
        environment={"A": "b=c"},
        mounts=(
            Mount(source=bench.make_volume(), target="/out"),
            Mount(source="/etc", target="/host", read_only=True),
        ),
        shm_bytes=32 * MIB,
    )
    found = told(bench, engine, container)
    host, config = found["HostConfig"], found["Config"]
    assert (host["ShmSize"], host["Init"], host["AutoRemove"]) == (32 * MIB, True, False)
    assert host["NetworkMode"] == "none"
    assert {(mount["Type"], mount["RW"]) for mount in found["Mounts"]} == {
        ("volume", True),
        ("bind", False),
    }
    given = {
        labels.STACK: bench.stack,
        labels.OWNER: bench.owner.id,
        labels.STEP: "sft",
        labels.IDENTITY: "f1",
    }
    assert given.items() <= config["Labels"].items()
    assert "A=b=c" in config["Env"]


def test_a_volume_that_is_gone_is_not_made_by_the_engine(bench: Bench, engine: Engine):
    container = Container(image=IMAGE, mounts=(Mount(source=bench.volume, target="/out"),))
    with pytest.raises(StepError, match=f"volume {bench.volume} is gone"):
        containers.create(engine, bench.stack, container, {})
    assert bench.client.volumes.list(filters={"name": bench.volume}) == []


def test_the_containers_of_a_step_are_those_of_its_owner(bench: Bench, engine: Engine):
    owners = {
        "own": bench.owner,
        "of-the-version-before": Owner(stack=bench.stack),
        "another-users": Owner(stack=bench.stack, id="another"),
    }
    for name, owner in owners.items():
        given = {**step_labels(owner, "sft", "f1"), TEST_LABEL: bench.stack}
        containers.create(engine, f"{bench.stack}-{name}", Container(image=IMAGE), given)
    found = containers.containers_of(engine, bench.owner, "sft")
    assert {containers.name_of(container) for container in found} == {
        f"{bench.stack}-own",
        f"{bench.stack}-of-the-version-before",
    }
