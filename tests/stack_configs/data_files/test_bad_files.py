"""Data files that are something else, or without end: told in words and in a moment."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stack_configs.settings.data_files.failure import DataFileError
from stack_configs.settings.data_files.layout import Layout
from stack_configs.settings.data_files.record import find

LAYOUT = Layout(prompt="instruction", query="input", response="output")
ROW = b'{"instruction": "a", "output": "b"}'
MANY = 2_000_000
SECONDS = 5.0

CONTENT: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.json", b"", "at least one row"),
    "blank": ("a.json", b" \n\t", "at least one row"),
    "UTF-16": ("a.json", ("[" + ROW.decode() + "]").encode("utf-16"), "not UTF-8"),
    "UTF-16 in a table": ("a.csv", "instruction,output\na,b\n".encode("utf-16"), "not UTF-8"),
    "Latin-1": ("a.jsonl", ROW.replace(b"a", b"\xe9"), "not UTF-8"),
    "GBK": ("a.csv", "instruction,output\n你好,b\n".encode("gbk"), "not UTF-8"),
    "compressed": ("a.jsonl", b"\x1f\x8b\x08\x00" + bytes(range(256)), "not UTF-8"),
    "compressed, by its name": ("a.json.gz", b"\x1f\x8b\x08\x00", "must be a file of one of"),
    "no number": ("a.json", b'[{"instruction": "a", "output": NaN}]', "no text in column"),
    "a number for a text": ("a.json", b'[{"instruction": 3, "output": "b"}]', "no text in column"),
    "lists without end": ("a.json", b"[" * 100_000, "cannot be read"),
    "a line of lists": (
        "a.jsonl",
        b'{"instruction": "a", "output": "b", "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        "cannot be read",
    ),
    "a number of 5,000 digits": ("a.json", b"[" + b"9" * 5000 + b"]", "cannot be read"),
    "space without end": ("a.json", b"[" + b" " * MANY, "not valid JSON"),
    "a text without end": ("a.json", b'[{"instruction": "' + b'\\"' * MANY, "not valid JSON"),
    "a cell without end": ("a.csv", b'instruction,output\na,"' + b"b\n" * MANY, "not valid CSV"),
    "a column named twice among many": (
        "a.csv",
        ",".join(f"k{index}" for index in range(50_000)).encode() + b",k49999\n",
        "names the column 'k49999' twice",
    ),
    "half a character": ("a.json", b'[{"instruction": "\\ud800", "output": "b"}]', "half a char"),
}


@pytest.mark.parametrize(("name", "content", "said"), CONTENT.values(), ids=CONTENT)
def test_content(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, said)


PLACES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link to itself": (lambda path: path.symlink_to(path.name), "does not exist"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "does not exist"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "must be a file"),
    "a pipe": (os.mkfifo, "must be a file"),
    "an empty folder": (lambda path: path.mkdir(), "is an empty folder"),
    "a folder in a folder": (lambda path: (path / "b.json").mkdir(parents=True), "holds b.json"),
}


@pytest.mark.parametrize(("make", "said"), PLACES.values(), ids=PLACES)
def test_places(tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    make(tmp_path / "a.json")
    refused(tmp_path / "a.json", said)


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    refused(tmp_path / f"{'x' * 300}.json", "File name too long")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_bytes(b"[" + ROW + b"]")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Whoever runs the tests may be allowed everything.
    monkeypatch.setattr(Path, "open", refuse)
    refused(tmp_path / "a.json", "Permission denied")


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.txt"])
def test_a_byte_order_mark_is_read_over(tmp_path: Path, name: str) -> None:
    plain = {
        "a.json": b"[" + ROW + b"]",
        "a.jsonl": ROW,
        "a.csv": b"instruction,output\na,b\n",
        "a.txt": b"a\n",
    }[name]
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + plain)
    layout = Layout(prompt="text", response=None) if name == "a.txt" else LAYOUT
    findings = find(tmp_path / name, layout, media_folder=tmp_path)
    assert findings.rows == 1
    assert findings.columns == (("text",) if name == "a.txt" else ("instruction", "output"))


def refused(path: Path, said: str) -> None:
    began = time.monotonic()
    with pytest.raises(DataFileError) as caught:
        find(path, LAYOUT, media_folder=path.parent)
    assert time.monotonic() - began < SECONDS
    assert said in caught.value.rule
    assert caught.value.way_out
