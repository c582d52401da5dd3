"""What the engine is told about a container, as the engine itself tells it back (F6, F7, T8)."""

from contextlib import closing

import pytest

from runtime.docker import containers
from runtime.docker.engine import Engine
from tests.runtime.conftest import IMAGE, Bench

pytestmark = pytest.mark.engine


def inspect(bench: Bench, spec: containers.ContainerSpec) -> dict[str, object]:
    step = containers.Step(stack=bench.stack, name=f"{bench.stack}-sft", fingerprint="f1")
    with closing(Engine()) as engine:
        containers.create(engine, step.name, spec, step.labels)
    attributes: dict[str, object] = bench.container().attrs
    return attributes


def test_an_accelerator_is_handed_over(bench: Bench):
    spec = containers.ContainerSpec(
        image=IMAGE,
        accelerator=containers.Accelerator(
            gpus="all",
            devices=("/dev/null",),
            groups=("video",),
            host_mounts=("/etc/hostname",),
            security_opts=("seccomp=unconfined",),
        ),
    )
    host: dict[str, object] = inspect(bench, spec)["HostConfig"]  # type: ignore[assignment]
    (request,) = host["DeviceRequests"]  # type: ignore[misc]
    assert (request["Count"], request["Capabilities"]) == (-1, [["gpu"]])
    assert host["Devices"][0]["PathInContainer"] == "/dev/null"  # type: ignore[index]
    assert host["GroupAdd"] == ["video"]
    assert host["SecurityOpt"] == ["seccomp=unconfined"]
    (driver,) = host["Mounts"]  # type: ignore[misc]
    assert (driver["Type"], driver["Target"], driver["ReadOnly"]) == (
        "bind",
        "/etc/hostname",
        True,
    )


def test_a_number_of_gpus_is_a_number_of_devices(bench: Bench):
    spec = containers.ContainerSpec(image=IMAGE, accelerator=containers.Accelerator(gpus="2"))
    host: dict[str, object] = inspect(bench, spec)["HostConfig"]  # type: ignore[assignment]
    assert host["DeviceRequests"][0]["Count"] == 2  # type: ignore[index]


def test_mounts_shared_memory_labels_and_an_init_process(bench: Bench):
    spec = containers.ContainerSpec(
        image=IMAGE,
        command=("true",),
        environment={"A": "b=c"},
        mounts=(
            containers.Mount(type="volume", source=bench.volume, target="/out"),
            containers.Mount(type="bind", source="/etc", target="/host", read_only=True),
        ),
        shm_bytes=32 * 1024**2,
    )
    told = inspect(bench, spec)
    host: dict[str, object] = told["HostConfig"]  # type: ignore[assignment]
    config: dict[str, object] = told["Config"]  # type: ignore[assignment]
    assert (host["ShmSize"], host["Init"], host["AutoRemove"]) == (32 * 1024**2, True, False)
    assert {(mount["Type"], mount["RW"]) for mount in told["Mounts"]} == {  # type: ignore[attr-defined]
        ("volume", True),
        ("bind", False),
    }
    assert config["Labels"]["finetune-stack.fingerprint"] == "f1"  # type: ignore[index]
    assert "A=b=c" in config["Env"]  # type: ignore[operator]
