"""Tells what lies in the volumes of a stack: sizes, times, small texts, and digests where asked.

Usage: survey.py REQUEST_JSON SURVEY_JSON

Reads only. Runs beside the weights, so that a host behind ssh sends a page of figures and no
weights. What is not there is left out; a file that goes away meanwhile was not there.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

LARGEST_TEXT = 16 * 1024 * 1024
"""Bytes. What is larger is no log or settings file of a step."""


def files_below(path: Path) -> Iterator[Path]:
    """Every file in a folder, in a fixed order; a file itself. A link is what it leads to."""
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            yield Path(folder) / name


def text_of(path: Path) -> str | None:
    """What a file says; None where it is too large or no text."""
    if path.stat().st_size > LARGEST_TEXT:
        return None
    content = path.read_bytes()
    return None if b"\0" in content else content.decode("utf-8", "replace")


def listed(folder: Path, kept_texts: Sequence[str]) -> dict[str, Any]:
    """One folder of a root."""
    size, modified, texts = 0, 0.0, {}
    for file in files_below(folder):
        with contextlib.suppress(FileNotFoundError):
            stat = file.lstat()
            size, modified = size + stat.st_size, max(modified, stat.st_mtime)
            is_kept = any(fnmatch(file.name, pattern) for pattern in kept_texts)
            if file.parent == folder and is_kept and (text := text_of(file)) is not None:
                texts[file.name] = text
    return {"path": str(folder), "bytes": size, "modified": modified, "texts": texts}


def digested(path: Path) -> dict[str, Any]:
    """The content of a file."""
    with path.open("rb") as file:
        return {
            "bytes": path.stat().st_size,
            "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
        }


def survey(request: dict[str, Any]) -> dict[str, Any]:
    """All that was asked for."""
    roots = [root for root in map(Path, request["roots"]) if root.is_dir()]
    folders = [
        listed(folder, request["kept_texts"])
        for root in roots
        for folder in sorted(root.iterdir())
        if folder.is_dir()
    ]
    texts = {name: text_of(Path(name)) for name in request["texts"] if Path(name).is_file()}
    files = {
        str(file): digested(file)
        for name in request["digests"]
        for file in files_below(Path(name))
        if file.is_file()
    }
    disk = shutil.disk_usage(roots[0]) if roots else None
    return {
        "folders": folders,
        "texts": {name: text for name, text in texts.items() if text is not None},
        "files": files,
        "disk_bytes": disk.total if disk else 0,
        "disk_free_bytes": disk.free if disk else 0,
    }


def main(arguments: Sequence[str]) -> None:
    """Answer the request in one file with the other."""
    request, answer = (Path(argument) for argument in arguments)
    answer.write_text(json.dumps(survey(json.loads(request.read_text()))))


if __name__ == "__main__":
    main(sys.argv[1:])
