"""Where a volume or a directory of the engine's host can be looked into, with nothing started."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from plan import labels
from plan.container import Container, Mount
from plan.owner import Owner
from runtime.docker import containers
from runtime.docker.engine import Engine
from runtime.failure import EngineError
from runtime.host.snapshot import Snapshot

HELPER = "host-look"
EMPTY_ARCHIVE = bytes(1024)
"""A tar file without a member."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A container through which a volume can be looked into."""

    container: str
    is_running: bool


def mounting(snapshot: Snapshot, owner: Owner, mount: Mount) -> Place | None:
    """One of the stack's own containers that has the volume where it is expected."""
    places = [
        Place(container=str(container["Id"]), is_running=container.get("State") == "running")
        for container in snapshot.containers
        if container.get("State") not in ("removing", "dead")
        and owner.owns(container.get("Labels"))
        and containers.is_mounted(mount, container, writable=False)
    ]
    return max(places, key=lambda place: place.is_running, default=None)


def is_there(snapshot: Snapshot, mount: Mount) -> bool:
    """Whether there may be something to look into."""
    return mount.type == "bind" or mount.source in snapshot.volumes


@contextmanager
def look_into(engine: Engine, owner: Owner, mounts: set[Mount]) -> Iterator[Place | None]:
    """A container that mounts all of them: made of nothing, never started, removed.

    None where there is nothing to mount, or no such directory.
    """
    if not mounts:
        yield None
        return
    with _empty_image(engine, owner) as image:
        created = _create(engine, owner, image, mounts)
        if created is None:
            yield None
            return
        try:
            yield Place(container=created, is_running=False)
        finally:
            containers.remove(engine, created)


def _create(engine: Engine, owner: Owner, image: str, mounts: set[Mount]) -> str | None:
    wanted = tuple(sorted(mounts, key=lambda mount: mount.source))
    container = Container(image=image, command=("never",), mounts=wanted)
    try:
        # No name: two previews may look at the same time.
        return containers.create(engine, None, container, containers.step_labels(owner, HELPER))
    except EngineError as error:
        if error.status == HTTPStatus.BAD_REQUEST:
            # A directory of the host that is not there: no work is in it either.
            return None
        raise


@contextmanager
def _empty_image(engine: Engine, owner: Owner) -> Iterator[str]:
    """An image of no bytes, so that a host can be looked at before it has any other."""
    name = f"{labels.NAMESPACE}/empty:{uuid.uuid4().hex}"
    repository, tag = name.split(":")
    with engine.calls() as api:
        given = containers.step_labels(owner, HELPER)
        changes = [f"LABEL {label}={value}" for label, value in given.items()]
        api.import_image_from_data(EMPTY_ARCHIVE, repository=repository, tag=tag, changes=changes)
    try:
        yield name
    finally:
        with containers.ignored_when_gone(), engine.calls() as api:
            api.remove_image(name, force=True)
