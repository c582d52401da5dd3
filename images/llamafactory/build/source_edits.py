"""Edits of installed source files, made while an image is built."""

import sys
from pathlib import Path
from typing import Never

Edit = tuple[str, str]
"""Text that a file must hold, and what takes its place."""


def fail(feature: str, reason: str) -> Never:
    """End the build: what cannot be made to run must not be found out by a training."""
    print(f"error: {feature} cannot be made to run: {reason}", file=sys.stderr)
    sys.exit(1)


def edit(file: Path, edits: tuple[Edit, ...], *, feature: str) -> None:
    """Make every edit; text that is not as it was known ends the build."""
    text = file.read_text(encoding="utf-8")
    for old, new in edits:
        if old not in text:
            fail(feature, f"{file} has no {old!r}; use images.llamafactory.version 0.9.4 or 0.9.5")
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
