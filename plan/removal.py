"""A removal: what is to go out of the volumes of a stack.

`in_container/remove.py` is asked in these words.
"""

from dataclasses import dataclass

from plan import paths


@dataclass(frozen=True, kw_only=True)
class HubSnapshot:
    """One commit of a model in a hub's cache."""

    repo: str
    commit: str
    cache: str = str(paths.HUB_CACHE)


@dataclass(frozen=True, kw_only=True)
class DoomedFolder:
    """A folder that goes, and what goes with it."""

    path: str
    snapshot: HubSnapshot | None = None


@dataclass(frozen=True, kw_only=True)
class Removal:
    """Everything that goes; the words that tell what is on its way out."""

    folders: tuple[DoomedFolder, ...]
    removed: str = paths.REMOVED
    complete: str = paths.COMPLETE
