"""What the loader makes of columns: it types each of them, and refuses what does not fit."""

import re
from collections.abc import Iterable
from typing import Any

KINDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}

MOST_SHAPES = 10_000
"""Shapes of rows that are remembered; with more of them, each row is looked at anew."""

NUMBER = re.compile(
    r"\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|infinity)\s*", re.IGNORECASE
)
BOOLEANS = {
    word: truth
    for truth in (True, False)
    for word in (str(truth), str(truth).lower(), str(truth).upper())
}
"""Cells of a CSV file that pandas takes for a truth value."""


class JsonColumns:
    """The columns of a JSON file, one batch of it after the other.

    Within a batch a column holds values of one kind. The first batch decides which columns there
    are: a column that only comes later, or has nothing but null before, cannot be read.
    """

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._first: dict[str, str | None] | None = None
        self._batch: dict[str, str | None] = {}
        self._right: set[tuple[Any, ...]] = set()
        """Names and types of rows that were found right."""

    def problems(self, row: dict[str, Any]) -> list[str]:
        """What the loader cannot read in a row after those before it."""
        shape = (*row, *map(type, row.values()))
        if shape in self._right:
            return []
        found = [
            problem
            for column, value in row.items()
            if (problem := self._problem(column, KINDS.get(type(value))))
        ]
        self.seen.update(row)
        if not found and len(self._right) < MOST_SHAPES:
            self._right.add(shape)
        return found

    def _problem(self, column: str, kind: str | None) -> str | None:
        before = self._batch.setdefault(column, kind)
        if kind is None:
            if self._first is not None and column not in self._first:
                return _comes_late(column)
            return None
        if before is None:
            self._batch[column] = kind
        elif before != kind:
            return f"has {kind} in column {column!r}, and rows before it have {before}"
        if self._first is not None and self._first.get(column) is None:
            return _comes_late(column)
        return None

    def end_batch(self) -> list[str]:
        """The next row is of another batch. Nothing is wrong with a batch as a whole."""
        if self._first is None:
            self._first = self._batch
        self._batch = {}
        self._right.clear()
        return []


def _comes_late(column: str) -> str:
    return (
        f"is the first with a value in column {column!r}, and LLaMA-Factory's loader takes the "
        "columns from the first 10 MiB of the file: give an earlier row one, or remove it"
    )


class CsvColumns:
    """The columns of a CSV file. Cells have no kind: pandas guesses it from all that it reads."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.seen: set[str] = set()
        self._texts = frozenset(texts)
        self._kinds: dict[str, str | None] = {}
        """Of the first batch. What is no text there must not be one later."""
        self._in_first = True

    def problems(self, row: dict[str, Any]) -> list[str]:
        """What the loader cannot read in a row after those before it."""
        if not self.seen:
            self.seen = set(row)
            self._kinds = dict.fromkeys(row)
        found = []
        for column, kind in list(self._kinds.items()):
            cell = row[column]
            if cell is None or kind == "text":
                continue
            here = _kind_of(cell)
            if self._in_first:
                self._kinds[column] = here if kind in (None, here) else "text"
            elif here == "text":
                found.append(
                    f"is the first with text in column {column!r}, and the loader takes the kind "
                    "of a column from the first 10,000 rows"
                )
        return found

    def end_batch(self) -> list[str]:
        """Columns that are wanted as texts and that pandas reads as something else."""
        if not self._in_first:
            return []
        self._in_first = False
        # Later batches are looked at for these alone.
        self._kinds = {column: kind for column, kind in self._kinds.items() if kind != "text"}
        return [
            f"column {column!r} holds nothing but {kind} in the first 10,000 rows, and is read as "
            "that: LLaMA-Factory needs text. Put the rows into a .jsonl file"
            for column, kind in self._kinds.items()
            if column in self._texts and kind is not None
        ]


def _kind_of(cell: str) -> str:
    if cell in BOOLEANS:
        return "truth values"
    return "numbers" if NUMBER.fullmatch(cell) else "text"
