"""Items: everything on a host that takes room for a stack, each with what it is there for."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from plan.removal import DoomedFolder

Kind = Literal[
    "base model",
    "checkpoints",
    "merged weights",
    "GGUF",
    "other artefacts",
    "data",
    "Ollama's store",
    "images",
    "build cache",
    "containers",
    "volumes",
    "hub cache",
    "files of other programs",
]
"""What takes the room."""


class Standing(Enum):
    """How an item stands to the stack."""

    IN_USE = "in use"
    KEPT = "kept"
    """Superseded, and the settings say that it stays."""
    STAYS = "stays"
    """Somebody else's, or nobody knows whose."""
    LEFT_OVER = "left over"
    """No stack refers to it."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder of a volume that can go."""

    volume: str
    """Where containers mount it."""
    doomed: DoomedFolder


@dataclass(frozen=True, kw_only=True)
class Thing:
    """What the engine itself removes."""

    what: Literal["image", "container", "volume"]
    name: str
    """By which the engine knows it."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing that takes room."""

    kind: Kind
    name: str
    """As an operator tells it from others."""
    bytes: int
    standing: Standing
    why: str = ""
    """What its standing comes from, where it is not in use."""
    model: str = ""
    step: str = ""
    """Name of the step that made it, without the stack's and the model's."""
    way_out: Folder | Thing | None = None
    """What is left over has one."""
