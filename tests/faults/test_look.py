"""What is looked at in weights is their tensors, to the byte."""

import json
import struct
from pathlib import Path

import pytest

from faults import look

TENSOR = bytes(64)


def text(word: str) -> bytes:
    return struct.pack("<Q", len(word)) + word.encode()


def gguf(name: str) -> bytes:
    """A file of one tensor, with a number, a text and a list in its metadata."""
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 3)
    head += text("general.name") + struct.pack("<I", 8) + text(name)
    head += text("llama.block_count") + struct.pack("<II", 4, 2)
    head += text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc")
    head += text("output.weight") + struct.pack("<IQQIQ", 2, 4, 8, 1, 0)
    return head.ljust(-(-len(head) // 32) * 32, b"\0") + TENSOR


def safetensors(name: str) -> bytes:
    head = json.dumps({"x": {"dtype": "F16", "shape": [32], "data_offsets": [0, 64]}, "n": name})
    return struct.pack("<Q", len(head)) + head.encode() + TENSOR


@pytest.mark.parametrize(("make", "file"), [(gguf, "m.gguf"), (safetensors, "m.safetensors")])
@pytest.mark.parametrize("name", ["", "a", "a name that takes the header into its next 32 bytes"])
def test_a_header_of_another_length_makes_no_other_weights(tmp_path: Path, make, file, name):
    path = tmp_path / file
    path.write_bytes(make(name))
    assert look.weight_bytes(path) == len(TENSOR)
    path.write_bytes(make(name)[:-1])
    assert look.weight_bytes(path) == len(TENSOR) - 1
    path.write_bytes(make(name)[:30])
    assert look.weight_bytes(path) < 0


def test_a_folder_is_told_with_its_marker(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "aa"
    folder.mkdir()
    (folder / "complete.json").write_text("{")
    (folder / "m.gguf").write_bytes(gguf("a"))
    look.main(str(tmp_path), "complete.json")
    (told,) = json.loads(capsys.readouterr().out).values()
    assert (told["marker"], told["weights"]) == ("{", {"m.gguf": len(TENSOR)})
