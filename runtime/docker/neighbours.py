"""Neighbours: other stacks whose containers have the same volume or directory."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from plan import labels
from plan.container import Mount
from plan.owner import Owner
from runtime.docker.containers import Summary


def neighbours(found: Iterable[Summary], owner: Owner, mount: Mount) -> set[str]:
    """Names of the stacks beside the owner's that have what the mount has, or a part of it.

    A stack that is up has an Ollama server, which mounts its output and its store.
    """
    return {
        str(given[labels.STACK])
        for container in found
        if (given := container.get("Labels") or {}).get(labels.STACK) and not owner.owns(given)
        if any(overlap(mount, theirs) for theirs in mounts_of(container))
    }


def mounts_of(container: Summary) -> list[Mount]:
    """What a listed container mounts."""
    return [
        Mount(
            # The engine tells where a volume's files lie as well.
            source=str(each.get("Name") or each.get("Source")),
            target=str(each.get("Destination")),
        )
        for each in container.get("Mounts") or ()
        if each.get("Type") in ("volume", "bind")
    ]


def overlap(one: Mount, other: Mount) -> bool:
    """Whether two mounts are of the same volume, or of directories of which one holds the other."""
    if one.type != other.type:
        return False
    if one.type == "volume":
        return one.source == other.source
    a, b = PurePosixPath(one.source), PurePosixPath(other.source)
    return a.is_relative_to(b) or b.is_relative_to(a)
