"""How much text the rows of a data set hold: a sample that stays small however many there are."""

from collections.abc import Iterable, Sequence
from typing import Any

SAMPLE = 512
"""Rows that are measured at least, where there are so many."""


class RowSizes:
    """Takes every row, every second, every fourth, and so on, as a file goes on."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._step = 1
        self.next = 1
        """Number of the row whose turn it is; they are numbered from 1."""

    def add(self, row: Any) -> None:
        """Measure the row whose turn it is."""
        self.next += self._step
        self._sizes.append(text_bytes(row))
        if len(self._sizes) == 2 * SAMPLE:
            del self._sizes[1::2]
            self._step *= 2

    @property
    def sample(self) -> tuple[int, ...]:
        """Bytes of text in UTF-8, in the order of the rows."""
        return tuple(self._sizes)


def text_bytes(value: Any) -> int:
    """Of all texts in a row, wherever they stand in it."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode(errors="replace"))
    if isinstance(value, dict):
        return sum(map(text_bytes, value.values()))
    return sum(map(text_bytes, value)) if isinstance(value, list) else 0


def mixed(samples: Iterable[tuple[int, Sequence[int]]]) -> tuple[int, ...]:
    """One sample of several sets, each as often as it has rows: `(rows, sample)`."""
    there = [(rows, sample) for rows, sample in samples if rows and sample]
    total = sum(rows for rows, _ in there)
    return tuple(
        sample[index * len(sample) // share]
        for rows, sample in there
        for share in [max(1, round(SAMPLE * rows / total))]
        for index in range(share)
    )
