"""What takes room on the engine beside volumes: images, the build cache, containers that ended."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plan import labels
from plan.owner import Owner
from report.look import images_of
from report.state import StackState
from retention.items import Item, Standing, Thing
from retention.look import HostSight
from retention.volumes import is_live
from runtime.docker.containers import Summary, name_of

OURS = f"{labels.NAMESPACE}/"
"""Begins the names of the images that stacks build: they share them, by what is in them."""


def image_items(
    state: StackState, others: Sequence[StackState], sight: HostSight
) -> Iterator[Item]:
    """The images that stacks of this project have built here."""
    own, theirs = {reference for _, reference in images_of(state)}, set[str]()
    for other in others:
        theirs |= {reference for _, reference in images_of(other)}
    used = {str(each.get("ImageID")) for each in sight.containers}
    strangers = unknown_stacks(state, others, sight.containers)
    for image in sight.images:
        names = [name for name in image.get("RepoTags") or () if name.startswith(OURS)]
        if not names or len(names) < len(image.get("RepoTags") or ()):
            # One that somebody has also given a name of their own is theirs.
            continue
        standing, why = Standing.LEFT_OVER, "no stack here refers to it"
        if own & {*names}:
            standing, why = Standing.IN_USE, ""
        elif theirs & {*names} or image.get("Id") in used:
            standing, why = Standing.STAYS, "another stack or a container has it"
        elif strangers:
            why = f"{', '.join(strangers)} may need it, and that state is not here"
            standing = Standing.STAYS
        yield Item(
            kind="images",
            name=names[0],
            bytes=_own_bytes(image),
            standing=standing,
            why=why,
            way_out=Thing(what="image", name=names[0]) if standing is Standing.LEFT_OVER else None,
        )
    if sight.build_cache_bytes:
        yield Item(
            kind="build cache",
            name="of the whole engine",
            bytes=sight.build_cache_bytes,
            standing=Standing.STAYS,
            why="other projects build with it too: docker builder prune",
        )


def container_items(owner: Owner, containers: Sequence[Summary]) -> Iterator[Item]:
    """Containers of steps that have ended without being removed: failed, or killed."""
    for container in containers:
        given = container.get("Labels") or {}
        if owner.owns(given) and labels.STEP in given and not is_live(container):
            yield Item(
                kind="containers",
                name=name_of(container),
                bytes=int(container.get("SizeRw") or 0),
                standing=Standing.LEFT_OVER,
                why="its step has failed, or was killed; its log goes along",
                way_out=Thing(what="container", name=str(container["Id"])),
            )


def unknown_stacks(
    state: StackState, others: Sequence[StackState], containers: Sequence[Summary]
) -> list[str]:
    """Stacks that live on the engine, and whose state is not here."""
    known = [each.owner for each in (state, *others) if each.steps]
    return sorted(
        {
            str(given[labels.STACK])
            for container in containers
            if (given := container.get("Labels") or {}).get(labels.STACK)
            and not any(owner.owns(given) for owner in known)
        }
    )


def _own_bytes(image: Mapping[str, Any]) -> int:
    """What is free when it alone goes; the engine says -1 for what it has not counted."""
    return max(0, int(image.get("Size", 0)) - max(0, int(image.get("SharedSize", 0))))
