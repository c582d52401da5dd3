"""A survey: what lies in the volumes of a stack, for whoever only looks at it.

`in_container/survey.py` is asked and answers in these words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class SurveyRequest:
    """What to look at. Everything is a path as containers have it."""

    roots: tuple[str, ...] = ()
    """Folders whose own folders are listed: one artefact, or one served model, each."""
    texts: tuple[str, ...] = ()
    """Files to read wherever they lie."""
    kept_texts: tuple[str, ...] = ()
    """Names of files to read in every listed folder; `*.yaml` for all of a kind."""
    digests: tuple[str, ...] = ()
    """Files, and folders with all that is in them, to digest."""


@dataclass(frozen=True, kw_only=True)
class FoundFolder:
    """One folder of a root."""

    path: str
    bytes: int
    modified: float
    """Seconds since 1970 of the file that was written last."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """By name."""


@dataclass(frozen=True, kw_only=True)
class FoundFile:
    """The content of a file."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What was found; what is not there is left out."""

    folders: tuple[FoundFolder, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    """By path."""
    files: Mapping[str, FoundFile] = field(default_factory=dict)
    """Every file that was digested, by its path."""
    disk_bytes: int = 0
    """Size of the disk that the first root lies on."""
    disk_free_bytes: int = 0
