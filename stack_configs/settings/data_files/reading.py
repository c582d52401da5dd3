"""Data files as streams of rows, in the batches that LLaMA-Factory's loader (`datasets`) reads.

The batches matter: the loader takes the columns from the first one. A file is read once, and its
digest is taken on the way.
"""

import csv
import hashlib
import io
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stack_configs.settings.data_files.failure import DataFileError
from stack_configs.settings.data_files.json_array import read_array
from stack_configs.settings.data_files.json_lines import read_lines

Rows = Iterator[tuple[int, Any]]
"""Rows with their numbers: of the line for formats of lines, else of the row."""

BUFFER = 1024 * 1024
CSV_BATCH = 10_000
"""Rows that `datasets` gives pandas at a time."""

CSV_MISSING = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
    | {"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)
"""Cells that pandas takes for nothing."""

BOM = b"\xef\xbb\xbf"


class DigestedFile(io.RawIOBase):
    """A file that is read once from beginning to end; its digest grows with what was read."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("rb", buffering=0)
        self._digest = hashlib.sha256()
        self._ended = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Bytes that were read into the buffer; 0 at the end."""
        count = self._file.readinto(buffer) or 0
        self._digest.update(memoryview(buffer)[:count])
        self._ended = not count
        return count

    def close(self) -> None:
        """Close the file below."""
        self._file.close()
        super().close()

    def finish(self) -> str:
        """SHA-256 of the whole file. Every reader goes on to its end, or raises."""
        if not self._ended:
            raise AssertionError("a part of the file was not read")
        return self._digest.hexdigest()


def read_batches(file: io.RawIOBase, suffix: str) -> tuple[str, Iterator[Rows]]:
    """What the numbers count (`line` or `row`), and the rows in batches, each to be used up.

    Raises `DataFileError`, also while it is iterated.
    """
    if suffix in (".json", ".jsonl"):
        return _read_json(io.BufferedReader(file, BUFFER))
    if suffix == ".csv":
        return "line", _read_csv(file)
    return "line", _read_texts(file)


def demand_magic(head: bytes, suffix: str) -> None:
    """Raises `DataFileError` for a file that cannot be what its name says."""
    # An Arrow file begins with its name, a stream with a continuation mark.
    known = {".parquet": (b"PAR1",), ".arrow": (b"ARROW1", b"\xff\xff\xff\xff")}[suffix]
    if not head.startswith(known):
        raise DataFileError(f"is no {suffix.removeprefix('.')} file")


def _read_json(file: io.BufferedReader) -> tuple[str, Iterator[Rows]]:
    """By its content, as the loader does: either kind may have either name."""
    # The loader does not get to see a byte-order mark: what is sent begins behind it.
    if file.peek().startswith(BOM):
        file.read(len(BOM))
    if file.peek().lstrip(b" \t\r\n").startswith(b"["):
        return "row", iter([read_array(file)])
    return "line", read_lines(file)


def _read_csv(file: io.RawIOBase) -> Iterator[Rows]:
    # Texts may be long. The limit is the module's own, and nothing else here reads CSV.
    csv.field_size_limit(sys.maxsize)
    with io.TextIOWrapper(io.BufferedReader(file, BUFFER), "utf-8-sig", newline="") as text:
        rows = _guarded(_csv_rows(csv.reader(text, strict=True)))
        for first in rows:
            yield itertools.chain([first], itertools.islice(rows, CSV_BATCH - 1))


def _csv_rows(lines: Any) -> Rows:
    header = next(lines, None)
    if not header:
        raise DataFileError("has no line with the names of the columns")
    seen: set[str] = set()
    for name in header:
        if name in seen:
            raise DataFileError(f"names the column {name!r} twice")
        seen.add(name)
    began = lines.line_num
    for cells in lines:
        number, began = began + 1, lines.line_num
        if not cells or (len(cells) == 1 and not cells[0].strip()):
            continue
        if len(cells) > len(header):
            raise DataFileError(
                f"has {len(cells)} cells in line {number}, and names {len(header)} columns",
                "put texts with a comma in double quotes",
            )
        row = dict.fromkeys(header)
        row.update(zip(header, (None if c in CSV_MISSING else c for c in cells), strict=False))
        yield number, row


def _read_texts(file: io.RawIOBase) -> Iterator[Rows]:
    with io.TextIOWrapper(io.BufferedReader(file, BUFFER), "utf-8-sig") as text:
        lines = enumerate(text, start=1)
        yield _guarded((number, {"text": line.removesuffix("\n")}) for number, line in lines)


def _guarded(rows: Rows) -> Rows:
    """The rows; what stops them is said with its place."""
    number = 0
    try:
        for number, row in rows:
            yield number, row
    except UnicodeDecodeError:
        raise DataFileError(
            f"is not UTF-8 text (after line {number})", "save it as UTF-8"
        ) from None
    except csv.Error as error:
        raise DataFileError(f"is not valid CSV (after line {number}: {error})") from None
