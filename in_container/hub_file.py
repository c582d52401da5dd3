"""A file of a model on a hub: what the hub announces of it, and whether that came.

Lies beside `fetch_model.py`, inside the LLaMA-Factory image.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

PIECE = 1 << 22


@dataclass(frozen=True)
class File:
    """One file of the model, as the hub tells of it."""

    name: str
    size: int
    sha256: str | None
    git_id: str | None
    """SHA-1 as git names the content; of a file that is no LFS file."""


def checked(path: Path, file: File) -> str | None:
    """SHA-256 of a file that is what the hub announced; None of one that is not."""
    sha256 = hashlib.sha256()
    git = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as source:
        while piece := source.read(PIECE):
            sha256.update(piece)
            if file.git_id is not None:
                git.update(piece)
    is_right = (
        path.stat().st_size == file.size
        and file.sha256 in (None, sha256.hexdigest())
        and file.git_id in (None, git.hexdigest())
    )
    return sha256.hexdigest() if is_right else None
