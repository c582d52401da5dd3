"""Damage: artefacts whose files are no longer what their step has written.

`in_container/find_damage.py` is asked and answers in these words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from plan import paths


@dataclass(frozen=True, kw_only=True)
class SummedArtefact:
    """An artefact to hold against its sums."""

    folder: str
    has_sums: bool
    """Whether its marker says that there are any."""
    files: tuple[str, ...] = ()
    """Paths of those that count; all of them where none is named."""


@dataclass(frozen=True, kw_only=True)
class DamageRequest:
    """What to look at, and the words that artefacts are written in."""

    artefacts: tuple[SummedArtefact, ...]
    sums: str = paths.SUMS
    sums_end: str = paths.SUMS_END
    checkpoint: str = paths.CHECKPOINT
    partial: str = paths.PARTIAL
    removed: str = paths.REMOVED


@dataclass(frozen=True, kw_only=True)
class DamageReport:
    """What was found; what is damaged has lost its name when this is told."""

    bytes: int
    """That were read."""
    damaged: Mapping[str, str] = field(default_factory=dict)
    """By folder: the first damaged file, and what is wrong with it."""
