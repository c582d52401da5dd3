"""Holds artefacts against the sums that their steps have left, and sets aside what is damaged.

Usage: find_damage.py REQUEST_JSON REPORT_JSON

A damaged artefact gets the name of one whose step was interrupted, without the files that are
damaged: its step goes on from there. A checkpoint with a damaged file goes as a whole. Of one whose
list of sums is damaged nothing is known, and nothing stays. Whatever breaks off here, the next run
finds the same again.
"""

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

READ_AT_ONCE = 4
"""Files. A disk of today reads faster than one core sums up."""

ESCAPES = {"n": "\n", "r": "\r"}

GONE, OTHER = "is gone", "has other bytes than its step has written"
NO_SUMS = "the sums of its files are not whole"


def read_sums(folder: Path, name: str, end: str) -> dict[Path, str] | None:
    """SHA-256 by file, as `sha256sum` writes it; None where the list is not whole."""
    try:
        # A name may hold whatever else ends a line somewhere.
        *lines, last, rest = (folder / name).read_bytes().decode().split("\n")
        if (last, rest) != (end, ""):
            return None
        return dict(_read_line(folder, line) for line in lines)
    except (OSError, ValueError):
        return None


def _read_line(folder: Path, line: str) -> tuple[Path, str]:
    # A backslash in front says that the name has some which stand for something else.
    is_escaped = line.startswith("\\")
    digest, name = line.removeprefix("\\").split("  ", 1)
    if is_escaped:
        name = re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), name)
    return folder / name, digest


def fault_of(file: Path, digest: str) -> str | None:
    """What is wrong with a file; None where it is what it was."""
    try:
        with file.open("rb") as content:
            is_right = hashlib.file_digest(content, "sha256").hexdigest() == digest
    except FileNotFoundError:
        return GONE
    except OSError as error:
        # A disk that cannot read a part of it.
        return f"cannot be read: {error.strerror}"
    return None if is_right else OTHER


def faults(sums: Mapping[Path, str]) -> dict[Path, str]:
    """What is wrong with files, by file."""
    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        found = pool.map(fault_of, sums.keys(), sums.values())
        return {file: fault for file, fault in zip(sums, found, strict=True) if fault is not None}


def checkpoint_of(folder: Path, file: Path, beginning: str) -> Path | None:
    """The checkpoint that a file of a training belongs to."""
    if not file.is_relative_to(folder):
        return None
    first = file.relative_to(folder).parts[0]
    return folder / first if first.startswith(beginning) else None


def set_aside(folder: Path, damaged: Sequence[Path], request: Mapping[str, Any]) -> None:
    """Let an artefact be one that is being made, with what of it is whole."""
    for file in damaged:
        checkpoint = checkpoint_of(folder, file, request["checkpoint"])
        if checkpoint is not None and checkpoint.is_dir():
            shutil.rmtree(checkpoint)
        # A file in a hub's cache is a link, and what it leads to.
        file.resolve().unlink(missing_ok=True)
        file.unlink(missing_ok=True)
    partial = Path(f"{folder}{request['partial']}")
    if partial.exists():
        # Somebody is at it again already.
        discard(folder, request)
    else:
        folder.rename(partial)


def discard(folder: Path, request: Mapping[str, Any]) -> None:
    """Remove an artefact of which nothing is known to be whole."""
    aside = Path(f"{folder}{request['removed']}")
    if aside.exists():
        shutil.rmtree(aside)
    shutil.rmtree(folder.rename(aside))


def examine(asked: Mapping[str, Any], request: Mapping[str, Any]) -> tuple[int, str | None]:
    """Bytes that were read of an artefact, and what is wrong with it; set aside then."""
    folder = Path(asked["folder"])
    sums = read_sums(folder, request["sums"], request["sums_end"])
    if sums is None:
        is_old = not asked["has_sums"] and not (folder / request["sums"]).exists()
        if is_old or not folder.exists():
            return 0, None
        discard(folder, request)
        return 0, NO_SUMS
    named = {Path(name) for name in asked["files"]}
    # Only a training that goes on reads its checkpoints.
    later = {
        file: digest
        for file, digest in sums.items()
        if checkpoint_of(folder, file, request["checkpoint"]) is not None
    }
    read = {
        file: digest
        for file, digest in sums.items()
        if file not in later and (not named or file in named)
    }
    size = sum(file.stat().st_size for file in read if file.exists())
    found = faults(read)
    if not found:
        return size, None
    rest = {file: digest for file, digest in sums.items() if file not in read}
    first, fault = next(iter(found.items()))
    name = first.relative_to(folder) if first.is_relative_to(folder) else first
    set_aside(folder, [*found, *faults(rest)], request)
    return size, f"{name} {fault}"


def main(arguments: Sequence[str]) -> None:
    """Answer the request in one file with the other."""
    asked, answer = (Path(argument) for argument in arguments)
    request = json.loads(asked.read_text(encoding="utf-8"))
    found = {each["folder"]: examine(each, request) for each in request["artefacts"]}
    report = {
        "bytes": sum(size for size, _ in found.values()),
        "damaged": {folder: fault for folder, (_, fault) in found.items() if fault is not None},
    }
    answer.write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
