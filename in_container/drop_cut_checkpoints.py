"""Drops the checkpoints of a training that a kill or a power cut has left incomplete.

Usage: drop_cut_checkpoints.py FOLDER

The trainer resumes from the newest checkpoint, complete or not. It writes trainer_state.json last
(huggingface/transformers#35782), but what it has written need not have reached the disk: so every
file has to have the length that it tells of itself. Reads no weights.
"""

import json
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

STATE = "trainer_state.json"
INDEX = ".index.json"
"""Ends the name of a file that tells which others the weights are spread over."""
LENGTH_BYTES = 8
ZIP, PICKLE = b"PK", b"\x80"
"""How files begin that torch writes today, and those of torch before 1.6."""


class CutError(Exception):
    """A file that lacks a part; the message says which."""


def demand_json(path: Path) -> Any:
    """The content of a JSON file. Raises `CutError`."""
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise CutError("it is no JSON") from error


def demand_index(path: Path) -> None:
    """Raises `CutError` where a file is missing that weights are spread over."""
    content = demand_json(path)
    named = set(content.get("weight_map", {}).values()) if isinstance(content, dict) else set()
    if missing := sorted(name for name in named if not (path.parent / name).exists()):
        raise CutError(f"{missing[0]} is missing")


def demand_safetensors(path: Path) -> None:
    """Raises `CutError` where the header is not whole, or tells of another length."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if not 0 < length <= size - LENGTH_BYTES:
            raise CutError("it has no header")
        try:
            header = json.loads(file.read(length))
            tensors = [each for name, each in header.items() if name != "__metadata__"]
            ends = [int(each["data_offsets"][1]) for each in tensors]
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise CutError("its header is damaged") from error
    needed = LENGTH_BYTES + length + max(ends, default=0)
    if size != needed:
        raise CutError(f"it has {size} of {needed} bytes")


def demand_torch(path: Path) -> None:
    """Raises `CutError` where the directory at the end of the file is not there."""
    with path.open("rb") as file:
        beginning = file.read(2)
    if beginning.startswith(PICKLE):
        # It tells nothing of its length.
        return
    if beginning != ZIP:
        raise CutError("torch has not written it to its end")
    try:
        zipfile.ZipFile(path).close()
    except zipfile.BadZipFile as error:
        raise CutError("its directory is cut off") from error


KINDS: Mapping[str, Callable[[Path], object]] = {
    INDEX: demand_index,
    ".json": demand_json,
    ".safetensors": demand_safetensors,
    ".bin": demand_torch,
    ".pt": demand_torch,
    ".pth": demand_torch,
}
"""By the end of the name; the first that fits."""


def fault_of(checkpoint: Path) -> str | None:
    """Why a training cannot be resumed from it; None where it can."""
    if not (checkpoint / STATE).exists():
        return f"{STATE} is missing"
    for file in sorted(path for path in checkpoint.rglob("*") if path.is_file()):
        demand = next((KINDS[end] for end in KINDS if file.name.endswith(end)), None)
        try:
            if demand is not None:
                demand(file)
        except (CutError, OSError) as error:
            return f"{file.relative_to(checkpoint)}: {error}"
    return None


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    for checkpoint in sorted(Path(arguments[0]).glob("checkpoint-*")):
        if fault := fault_of(checkpoint):
            print(f"{checkpoint.name} is not whole and goes: {fault}", flush=True)
            shutil.rmtree(checkpoint)


if __name__ == "__main__":
    main(sys.argv[1:])
