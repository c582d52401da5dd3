"""Identities: the same inputs give the same name, so that finished work is found again."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LENGTH = 16
"""Hex digits kept: 64 bits, far beyond the number of artefacts of one stack."""


def identity(*parts: Any) -> str:
    """One name for JSON-able parts; the order of keys does not matter, that of parts does."""
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:LENGTH]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_digest(directory: Path, *, files: tuple[str, ...] | None = None) -> str:
    """SHA-256 over names and contents below a directory; with `files`, over those alone."""
    paths = (
        [directory / name for name in files]
        if files is not None
        else (path for path in directory.rglob("*") if path.is_file())
    )
    return digest_of_files(
        {path.relative_to(directory).as_posix(): file_digest(path) for path in paths}
    )


def digest_of_files(digests: Mapping[str, str]) -> str:
    """SHA-256 over names and contents: those of a folder, where its files' digests are known."""
    return hashlib.sha256(json.dumps(dict(digests), sort_keys=True).encode()).hexdigest()
