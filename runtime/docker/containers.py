"""Containers of a step: how they are recognised, and what the engine is told about a new one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from runtime.docker.engine import Engine
from runtime.failure import EngineError, MissingError, StepError

STACK_LABEL = "finetune-stack.stack"
STEP_LABEL = "finetune-stack.step"
FINGERPRINT_LABEL = "finetune-stack.fingerprint"

STOP_SECONDS = 10

START_HINTS = {
    "could not select device driver": "Install the NVIDIA Container Toolkit on the engine's host, "
    "run `nvidia-ctk runtime configure --runtime=docker` and restart Docker",
    "error gathering device information": "The engine's host has no such device: install its "
    "driver, or set host.hardware and host.gpu.count to what the host has",
}
"""The way out, by what the engine says of a container that it cannot start."""

Summary = Mapping[str, Any]
"""A container as the engine lists it."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """Who a container belongs to."""

    stack: str
    name: str
    fingerprint: str

    @property
    def labels(self) -> dict[str, str]:
        """Its labels on everything that is made for it."""
        return {
            STACK_LABEL: self.stack,
            STEP_LABEL: self.name,
            FINGERPRINT_LABEL: self.fingerprint,
        }


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A volume, or a directory of the engine's host, at a path of the container."""

    type: str
    source: str
    target: str
    read_only: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """As the engine takes it."""
        return {
            "Type": self.type,
            "Source": self.source,
            "Target": self.target,
            "ReadOnly": self.read_only,
        }

    def is_in(self, container: Summary, *, writable: bool) -> bool:
        """Whether a listed container mounts the same thing at the same place."""
        return any(
            self.source in (mount.get("Name"), mount.get("Source"))
            and mount.get("Destination") == self.target
            and (mount.get("RW", False) or not writable)
            for mount in container.get("Mounts") or ()
        )


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """How the container reaches the accelerators of the host."""

    gpus: str | int | None = None
    devices: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    host_mounts: tuple[str, ...] = ()
    security_opts: tuple[str, ...] = ()

    @property
    def host_config(self) -> dict[str, Any]:
        """As the engine takes it: what `docker run --gpus, --device, --group-add` send."""
        config: dict[str, Any] = {}
        if self.gpus is not None:
            count = -1 if self.gpus == "all" else int(self.gpus)
            config["DeviceRequests"] = [{"Count": count, "Capabilities": [["gpu"]]}]
        if self.devices:
            config["Devices"] = [
                {"PathOnHost": node, "PathInContainer": node, "CgroupPermissions": "rwm"}
                for node in self.devices
            ]
        if self.groups:
            config["GroupAdd"] = list(self.groups)
        if self.security_opts:
            config["SecurityOpt"] = list(self.security_opts)
        return config


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """A container that does one thing and ends."""

    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    network: str | None = None
    shm_bytes: int | None = None
    accelerator: Accelerator = field(default_factory=Accelerator)

    def body(self, labels: Mapping[str, str]) -> dict[str, Any]:
        """As the engine takes it. Never removed by itself: a failed one has a log to read."""
        drivers = [
            Mount(type="bind", source=path, target=path, read_only=True).body
            for path in self.accelerator.host_mounts
        ]
        host_config = {
            # An init process: it hands signals on and reaps what data loaders leave behind.
            "Init": True,
            "Mounts": [mount.body for mount in self.mounts] + drivers,
            **({"NetworkMode": self.network} if self.network else {}),
            **({"ShmSize": self.shm_bytes} if self.shm_bytes else {}),
            **self.accelerator.host_config,
        }
        return {
            "Image": self.image,
            **({"Cmd": list(self.command)} if self.command else {}),
            "Env": [f"{key}={value}" for key, value in self.environment.items()],
            "Labels": dict(labels),
            "HostConfig": host_config,
        }


def list_containers(engine: Engine, *labels: str) -> list[Summary]:
    """Every container, running or not, with all these labels (`key=value`)."""
    with engine.calls() as api:
        return list(api.containers(all=True, filters={"label": list(labels)}))


def inspect(engine: Engine, container: str) -> Mapping[str, Any]:
    """All that the engine knows of one container. Raises `MissingError`."""
    with engine.calls() as api:
        found: Mapping[str, Any] = api.inspect_container(container)
    return found


def containers_of(engine: Engine, stack: str, name: str) -> list[Summary]:
    """The containers of one step, whatever their fingerprint."""
    return list_containers(engine, f"{STACK_LABEL}={stack}", f"{STEP_LABEL}={name}")


def create(engine: Engine, name: str | None, spec: ContainerSpec, labels: Mapping[str, str]) -> str:
    """Create a container, not started; its id. Without a name the engine finds one."""
    try:
        with engine.calls() as api:
            created = api.create_container_from_config(  # type: ignore[no-untyped-call]
                spec.body(labels), name
            )
    except MissingError as error:
        raise StepError(
            f"cannot create container {name or ''} from image {spec.image}: {error.message}. "
            "Run `pulumi up --refresh`, which makes what is missing"
        ) from error
    except EngineError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        raise StepError(
            f"a container called {name} is there and does not belong to this step. "
            f"Remove it (docker rm {name}) or rename it, then run again"
        ) from error
    return str(created["Id"])


def start(engine: Engine, container: str, name: str) -> None:
    """Start a created container; one that cannot start is explained by the engine's words."""
    try:
        with engine.calls() as api:
            api.start(container)
    except EngineError as error:
        hints = (way_out for said, way_out in START_HINTS.items() if said in error.message)
        way_out = next(hints, "Put that right and run again")
        raise StepError(
            f"container {name} cannot be started: {error.message}. {way_out}"
        ) from error


def stop(engine: Engine, container: str) -> None:
    """Stop a container; nothing happens to one that does not run."""
    with ignored_when_gone(), engine.calls() as api:
        api.stop(container, timeout=STOP_SECONDS)


def remove(engine: Engine, container: str) -> None:
    """Remove a container and its anonymous volumes; when this returns, its name is free."""
    try:
        with engine.calls() as api:
            api.remove_container(container, force=True, v=True)
    except MissingError:
        return
    except EngineError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        # Somebody else is removing it.
        with ignored_when_gone(), engine.calls() as api:
            api.wait(container, condition="removed")


@contextmanager
def ignored_when_gone() -> Iterator[None]:
    """A container that is gone, or on its way, needs no more of that."""
    try:
        yield
    except MissingError:
        pass
    except EngineError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise


@contextmanager
def volume_access(
    engine: Engine, name: str, *mounts: Mount, image: str, labels: Mapping[str, str]
) -> Iterator[str]:
    """A container whose archive calls reach a volume: created, never started, and removed.

    Not one that happens to mount the volume: it could be replaced at any moment.
    """
    created = create(engine, name, ContainerSpec(image=image, mounts=mounts), labels)
    try:
        yield created
    finally:
        remove(engine, created)
