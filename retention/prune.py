"""Prune: what is left over goes, exactly as it was shown."""

from collections.abc import Callable, Iterable, Sequence

from plan.container import Mount
from plan.owner import Owner
from plan.removal import Removal
from retention.items import Folder, Item, Thing
from runtime.docker import containers
from runtime.docker.engine import Engine
from runtime.failure import EngineError, MissingError
from runtime.removal import remove_folders

ORDER = ("container", "image", "volume")
"""A container holds its image and its volumes."""


def prune(
    engine: Engine,
    owner: Owner,
    items: Iterable[Item],
    *,
    image: str = "",
    mounts: Sequence[Mount] = (),
    tell: Callable[[str], None] = print,
) -> bool:
    """Remove items; whether all of them are gone.

    What the engine does not let go, because something has taken it meanwhile, stays and is told.
    Raises `StepError` where a folder cannot be removed.
    """
    doomed = list(items)
    things = [item.way_out for item in doomed if isinstance(item.way_out, Thing)]
    folders = [item.way_out for item in doomed if isinstance(item.way_out, Folder)]
    refusals = [_remove(engine, each) for kind in ORDER for each in things if each.what == kind]
    for refusal in filter(None, refusals):
        tell(refusal)
    # Volume by volume: the container that removes from one cannot reach the others.
    for mount in mounts:
        own = tuple(each.doomed for each in folders if each.volume == mount.target)
        if own:
            remove_folders(engine, owner, Removal(folders=own), image=image, mounts=(mount,))
    return not any(refusals)


def _remove(engine: Engine, thing: Thing) -> str:
    """Why it is still there; empty where it is gone."""
    try:
        if thing.what == "container":
            containers.remove(engine, thing.name)
            return ""
        with engine.calls() as api:
            if thing.what == "image":
                api.remove_image(thing.name)
            else:
                api.remove_volume(thing.name)
    except MissingError:
        return ""
    except EngineError as error:
        return f"{thing.what} {thing.name} stays: {error.message}"
    return ""
