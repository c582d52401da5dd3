"""JSON lines: one row per line."""

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from stack_configs.settings.data_files.failure import DataFileError

BATCH = 10 * 1024 * 1024
"""Bytes that `datasets` reads at a time; it then goes on to the end of the line."""

BLANK = re.compile(r"[ \t\r]*")
"""White space as JSON knows it; line feeds end the line."""

HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
"""Half a surrogate pair as JSON spells it. Two of them are one character, and right."""


def read_lines(file: BinaryIO) -> Iterator[Iterator[tuple[int, Any]]]:
    """The rows with the numbers of their lines, in the loader's own batches.

    Lines end at line feeds alone: JSON allows its other separators inside a text.
    """
    number = 0
    while batch := file.read(BATCH):
        batch += file.readline()
        lines = batch.split(b"\n")
        del batch
        if not lines[-1]:
            lines.pop()
        yield _rows(lines, number + 1)
        number += len(lines)


def _rows(lines: list[bytes], start: int) -> Iterator[tuple[int, Any]]:
    decode = json.JSONDecoder().raw_decode
    for number, line in enumerate(lines, start):
        # This is the inner loop of every check: what most lines need comes first.
        try:
            text = line.decode()
            row, end = decode(text)
        except ValueError:
            yield from _unusual_line(line, number)
            continue
        if end == len(text) or text[end:] == "\r":
            if "\\u" in text and HALF_CHARACTER.search(text):
                demand_characters(row, f"line {number}")
            yield number, row
        else:
            yield from _unusual_line(line, number)


def _unusual_line(line: bytes, number: int) -> Iterator[tuple[int, Any]]:
    """A line with white space around its row, with several rows, with none, or a broken one."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise DataFileError(f"is not UTF-8 text (line {number})", "save it as UTF-8") from None
    decode = json.JSONDecoder().raw_decode
    at = _after_blanks(text, 0)
    while at < len(text):
        try:
            row, end = decode(text, at)
        except json.JSONDecodeError as error:
            place = f"line {number}, character {error.pos + 1}"
            raise DataFileError(f"is not valid JSON ({place}: {error.msg})") from None
        demand_characters(row, f"line {number}")
        yield number, row
        at = _after_blanks(text, end)


def _after_blanks(text: str, at: int) -> int:
    blank = BLANK.match(text, at)
    return blank.end() if blank else at


def demand_characters(row: Any, place: str) -> None:
    """Raises `DataFileError` for half a surrogate pair: no text, though JSON can spell it."""
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        code = f"\\u{ord(error.object[error.start]):04x}"
        raise DataFileError(
            f"holds {code} alone, which is half a character ({place})", "write the whole character"
        ) from None
