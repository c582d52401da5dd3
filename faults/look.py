"""Looks into the output volume, beside the stack's own look, which is on trial too.

Usage: look.py RUNS_FOLDER MARKER_NAME

Its output is a JSON object: of each folder its marker, its time and, by file, the bytes of its
weights. Headers are left out of that: the converter writes the folder's name into them, which has
another length for each. Runs in a container that has the volume.
"""

import json
import struct
import sys
from pathlib import Path
from typing import BinaryIO

NUMBERS = dict(enumerate("BbHhIif?", start=0)) | {10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
ALIGNMENT = 32


def number(file: BinaryIO, code: str) -> int:
    """The next number of a GGUF or safetensors file. Raises `struct.error` where it ends."""
    return int(struct.unpack(f"<{code}", file.read(struct.calcsize(f"<{code}")))[0])


def skip_text(file: BinaryIO) -> None:
    """Go over a text of GGUF's."""
    file.seek(number(file, "Q"), 1)


def skip_value(file: BinaryIO, kind: int) -> None:
    """Go over a value of GGUF's metadata."""
    if kind == STRING:
        skip_text(file)
    elif kind == ARRAY:
        kind, count = number(file, "I"), number(file, "Q")
        for _ in range(count):
            skip_value(file, kind)
    else:
        file.seek(struct.calcsize(f"<{NUMBERS[kind]}"), 1)


def gguf_header(file: BinaryIO) -> int:
    """Bytes before the tensors of a GGUF file."""
    file.seek(8)
    tensors, values = number(file, "Q"), number(file, "Q")
    for _ in range(values):
        skip_text(file)
        skip_value(file, number(file, "I"))
    for _ in range(tensors):
        skip_text(file)
        dimensions = number(file, "I")
        file.seek(8 * dimensions + 4 + 8, 1)
    return -(-file.tell() // ALIGNMENT) * ALIGNMENT


def weight_bytes(path: Path) -> int:
    """Bytes of the tensors in a file; negative for one that ends in its header."""
    try:
        with path.open("rb") as file:
            header = gguf_header(file) if path.suffix == ".gguf" else 8 + number(file, "Q")
    except struct.error:
        return -1
    return path.stat().st_size - header


def main(runs: str, marker: str) -> None:
    """The command line."""
    found = {}
    for folder in Path(runs).iterdir():
        weights = (*folder.glob("*.safetensors"), *folder.glob("*.gguf"))
        text = folder / marker
        found[folder.name] = {
            "marker": text.read_text(errors="replace") if text.exists() else "",
            "modified": folder.stat().st_mtime,
            "weights": {file.name: weight_bytes(file) for file in weights},
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
