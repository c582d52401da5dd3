"""The rows of `make doctor` and how they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Mark(Enum):
    """How a row stands."""

    THERE = "there"
    MISSING = "missing"
    OPTIONAL = "-"
    """Not there, or not needed; no stack waits for it."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    mark: Mark
    detail: str


def render(rows: Sequence[Row]) -> str:
    """Return the table as aligned plain text."""
    name_width = max(len(row.name) for row in rows)
    mark_width = max(len(row.mark.value) for row in rows)
    return "\n".join(
        f"{row.name:<{name_width}}  {row.mark.value:<{mark_width}}  {row.detail}" for row in rows
    )
