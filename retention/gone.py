"""What is left on an engine of a stack that no state knows any more."""

from collections.abc import Iterator, Sequence

from plan import labels
from report.state import StateError
from retention.items import Item, Standing, Thing
from retention.look import disk_use
from retention.volumes import is_live
from runtime.docker.containers import Summary, list_containers, name_of
from runtime.docker.engine import Engine


def gone_items(engine: Engine, stack: str) -> tuple[Item, ...]:
    """Its volumes, and its containers that have ended. `stack` is its name on the host.

    Raises `StateError` where it lives: by the same signs that keep a second stack of its name out.
    """
    mine = f"{labels.STACK}={stack}"
    containers = list_containers(engine, mine)
    with engine.calls() as api:
        networks = [str(each["Name"]) for each in api.networks(filters={"label": mine})]
    alive = [*networks, *(name_of(each) for each in containers if is_live(each))]
    if alive:
        raise StateError(
            f"the stack {stack} lives on this engine ({', '.join(sorted(alive))}), and its state "
            "is not here. Ask who runs it; if its state is lost, remove these by hand first"
        )
    # The containers first: they hold the volumes.
    return (*_containers(stack, containers), *_volumes(engine, stack))


def _volumes(engine: Engine, stack: str) -> Iterator[Item]:
    for volume in disk_use(engine, "volume").get("Volumes") or ():
        if (volume.get("Labels") or {}).get(labels.STACK) == stack:
            yield Item(
                kind="volumes",
                name=str(volume["Name"]),
                bytes=max(0, int((volume.get("UsageData") or {}).get("Size", 0))),
                standing=Standing.LEFT_OVER,
                why=f"{stack} is gone, and its settings have retained it or its state was lost",
                way_out=Thing(what="volume", name=str(volume["Name"])),
            )


def _containers(stack: str, found: Sequence[Summary]) -> Iterator[Item]:
    for container in found:
        yield Item(
            kind="containers",
            name=name_of(container),
            bytes=0,
            standing=Standing.LEFT_OVER,
            why=f"{stack} is gone",
            way_out=Thing(what="container", name=str(container["Id"])),
        )
