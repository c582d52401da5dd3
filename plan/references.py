"""References: what the settings of a stack stand for in its volumes (O4).

A step's artefact, a data file, a registration: by its path, as containers have it. What no stack
refers to is left over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class References:
    """What a stack refers to, and what it keeps besides."""

    paths: tuple[str, ...]
    """Artefacts, finished or not; data files, media folders and the registration; and what the
    settings themselves name as the place of a base model."""
    keep: Mapping[str, int] = field(default_factory=dict)
    """Superseded artefacts that stay, by the name of the step that made them; all of those of a
    step that is not named, until somebody prunes."""
