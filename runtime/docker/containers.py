"""Containers of a step: how they are recognised, and what the engine is told about a new one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from plan import labels
from plan.container import HOST_IPC, NO_CAPABILITIES, Accelerator, Container, Limits, Mount
from plan.owner import Owner
from runtime.docker.engine import Engine
from runtime.failure import EngineError, MissingError, StepError

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


def step_labels(owner: Owner, step: str, identity: str = "") -> dict[str, str]:
    """Labels of everything that is made for a step."""
    own = {labels.STEP: step, **({labels.IDENTITY: identity} if identity else {})}
    return {**owner.labels, **own}


def is_mounted(mount: Mount, container: Summary, *, writable: bool) -> bool:
    """Whether a listed container mounts the same thing at the same place."""
    return any(
        mount.source in (found.get("Name"), found.get("Source"))
        and found.get("Destination") == mount.target
        and (found.get("RW", False) or not writable)
        for found in container.get("Mounts") or ()
    )


def body(container: Container, given: Mapping[str, str]) -> dict[str, Any]:
    """A container as the engine takes it, with these labels.

    Never removed by itself: a failed one has a log to read.
    """
    host_config = {
        # An init process: it hands signals on and reaps what data loaders leave behind.
        "Init": True,
        "Mounts": [
            _mount_body(mount) for mount in (*container.mounts, *container.accelerator.mounts)
        ],
        "NetworkMode": container.network,
        **_privileges_body(container),
        **_limits_body(container.limits),
        **({"IpcMode": HOST_IPC} if container.host_ipc else {"ShmSize": container.shm_bytes}),
        **_accelerator_body(container.accelerator),
    }
    return {
        "Image": container.image,
        **({"Cmd": list(container.command)} if container.command else {}),
        "Env": [f"{key}={value}" for key, value in container.environment.items()],
        "Labels": dict(given),
        "HostConfig": host_config,
    }


def _mount_body(mount: Mount) -> dict[str, Any]:
    return {
        "Type": mount.type,
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }


def _privileges_body(container: Container) -> dict[str, Any]:
    return {
        "CapDrop": list(NO_CAPABILITIES),
        "CapAdd": list(container.capabilities),
        "SecurityOpt": list(container.security_opts),
        "ReadonlyRootfs": container.read_only_root,
        "Tmpfs": dict(container.tmpfs),
    }


def _limits_body(limits: Limits) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if limits.memory_bytes is not None:
        # Unset, the engine allows as much swap again.
        config |= {"Memory": limits.memory_bytes, "MemorySwap": limits.memory_bytes}
    if limits.processes is not None:
        config["PidsLimit"] = limits.processes
    return config


def _accelerator_body(accelerator: Accelerator) -> dict[str, Any]:
    """What `docker run --gpus, --device, --group-add` send."""
    config: dict[str, Any] = {}
    if accelerator.gpus is not None:
        count = -1 if accelerator.gpus == "all" else int(accelerator.gpus)
        config["DeviceRequests"] = [{"Count": count, "Capabilities": [["gpu"]]}]
    if accelerator.devices:
        config["Devices"] = [
            {"PathOnHost": node, "PathInContainer": node, "CgroupPermissions": "rwm"}
            for node in accelerator.devices
        ]
    if accelerator.groups:
        config["GroupAdd"] = list(accelerator.groups)
    return config


def list_containers(engine: Engine, *labels: str) -> list[Summary]:
    """Every container, running or not, with all these labels (`key=value`)."""
    with engine.calls() as api:
        return list(api.containers(all=True, filters={"label": list(labels)}))


def name_of(container: Summary) -> str:
    """The name of a listed container; its id where it has none."""
    names = [str(name).lstrip("/") for name in container.get("Names") or ()]
    return names[0] if names else str(container["Id"])[:12]


def inspect(engine: Engine, container: str) -> Mapping[str, Any]:
    """All that the engine knows of one container. Raises `MissingError`."""
    with engine.calls() as api:
        found: Mapping[str, Any] = api.inspect_container(container)
    return found


def moment(told: str) -> datetime:
    """A time of day as the engine tells it."""
    # The engine writes nanoseconds, of which Python 3.11 reads no more than microseconds.
    whole, _, rest = told.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{rest[:6]:0<6}").replace(tzinfo=UTC)


def run_seconds(engine: Engine, container: str) -> float:
    """How long a container ran that has ended."""
    state = inspect(engine, container)["State"]
    began, ended = (moment(state[key]) for key in ("StartedAt", "FinishedAt"))
    return round((ended - began).total_seconds(), 1)


def containers_of(engine: Engine, owner: Owner, step: str) -> list[Summary]:
    """The containers of one step, whatever their identity."""
    found = list_containers(engine, f"{labels.STACK}={owner.stack}", f"{labels.STEP}={step}")
    return [container for container in found if owner.owns(container.get("Labels"))]


def create(
    engine: Engine,
    name: str | None,
    container: Container,
    given: Mapping[str, str],
    *,
    entrypoint: Sequence[str] = (),
) -> str:
    """Create a container, not started; its id. Without a name the engine finds one.

    `entrypoint` takes the place of the image's own.
    Raises `StepError` for a name that is taken, and for an image or a volume that is gone: the
    engine would make an empty volume that nobody owns.
    """
    demand_volumes(engine, container.mounts)
    config = body(container, given) | ({"Entrypoint": list(entrypoint)} if entrypoint else {})
    try:
        with engine.calls() as api:
            created = api.create_container_from_config(  # type: ignore[no-untyped-call]
                config, name
            )
    except MissingError as error:
        raise StepError(
            f"cannot create container {name or ''} from image {container.image}: {error.message}. "
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


def demand_volumes(engine: Engine, mounts: Iterable[Mount]) -> None:
    """Raises `StepError` for a volume that is gone."""
    for mount in mounts:
        if mount.type != "volume":
            continue
        try:
            with engine.calls() as api:
                api.inspect_volume(mount.source)
        except MissingError as error:
            raise StepError(
                f"volume {mount.source} is gone, with all that was in it. "
                "Run `pulumi up --refresh`, which makes it again"
            ) from error


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
    engine: Engine, name: str, *mounts: Mount, image: str, given: Mapping[str, str]
) -> Iterator[str]:
    """A container whose archive calls reach a volume: created, never started, and removed.

    Not one that happens to mount the volume: it could be replaced at any moment.
    """
    created = create(engine, name, Container(image=image, mounts=mounts), given)
    try:
        yield created
    finally:
        remove(engine, created)
