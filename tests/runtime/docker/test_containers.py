"""What the engine is told about a container, as the engine itself tells it back (F6, F7, T8)."""

import os
from pathlib import Path
from typing import Any

import pytest

from plan import labels
from plan.container import MIB, Accelerator, Container, Limits, Mount
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
    assert host["SecurityOpt"] == ["no-new-privileges:true", "seccomp=unconfined"]
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


LOOK = (
    "grep -E '^(CapEff|NoNewPrivs)' /proc/self/status; "
    "for place in / /tmp /root/.cache /out; do touch $place/x 2>/dev/null && echo $place; done; "
    "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null"
)


def run(bench: Bench, engine: Engine, container: Container) -> str:
    """What a container says that is made from a plan."""
    containers.create(engine, f"{bench.stack}-sft", container, step_labels(bench.owner, "sft"))
    made = bench.container()
    made.start()
    made.wait()
    return str(made.logs().decode())


def test_a_container_has_no_powers_and_writes_to_its_volumes_alone(bench: Bench, engine: Engine):
    said = run(
        bench,
        engine,
        Container(
            image=IMAGE,
            command=("sh", "-c", LOOK),
            mounts=(Mount(source=bench.make_volume(), target="/out"),),
            limits=Limits(memory_bytes=64 * MIB, processes=77),
            read_only_root=True,
        ),
    )
    assert said.split() == [
        *("CapEff:", "0000000000000000", "NoNewPrivs:", "1"),
        *("/tmp", "/root/.cache", "/out"),
        "77",
    ]
    host = bench.container().attrs["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 64 * MIB


def test_a_directory_of_another_user_is_written_to(bench: Bench, engine: Engine, tmp_path: Path):
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 1234, 1234)
    container = Container(
        image=IMAGE,
        command=("sh", "-c", "touch /out/x && ls /out"),
        mounts=(Mount(source=str(folder), target="/out"),),
    )
    assert run(bench, engine, container) == "x\n"


def test_the_hosts_shared_memory_takes_the_place_of_a_size(bench: Bench, engine: Engine):
    container = Container(
        image=IMAGE,
        command=("stat", "-f", "-c", "%b %S", "/dev/shm"),
        host_ipc=True,
        shm_bytes=32 * MIB,
    )
    blocks, size = run(bench, engine, container).split()
    shared = os.statvfs("/dev/shm")
    assert int(blocks) * int(size) == shared.f_blocks * shared.f_frsize
    assert bench.container().attrs["HostConfig"]["IpcMode"] == "host"


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
