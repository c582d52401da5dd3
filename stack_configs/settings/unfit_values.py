"""Values that no setting can hold, wherever they stand: they would reach a file, a program or an
engine that cannot take them."""

import math
import re
from collections.abc import Iterator
from typing import Any

from plan.problem import Problem

LONGEST_TEXT = 50_000
"""Characters. A system prompt of that length fills a context of 12,000 tokens."""

LARGEST_NUMBER = 2**63 - 1
"""What programs of other languages read."""

NO_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters but for tab and line feed, halves of characters, and what is no character."""


def find_unfit_values(document: Any) -> Iterator[Problem]:
    """Every such value of a parsed document, each under its key."""
    yield from _of(document, "")


def _of(value: Any, key: str) -> Iterator[Problem]:
    if isinstance(value, dict):
        for name, item in value.items():
            place = f"{key}.{name}" if key else str(name)
            yield from _of_text(str(name), place, "key")
            yield from _of(item, place)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _of(item, f"{key}[{index}]")
    elif isinstance(value, str):
        yield from _of_text(value, key, "text")
    elif isinstance(value, float) and not math.isfinite(value):
        yield Problem(key, repr(value), "must be a finite number", "Give a value that fits")
    elif isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        yield Problem(key, str(value), "must be a number of 64 bits", "Give a value that fits")


def _of_text(text: str, key: str, what: str) -> Iterator[Problem]:
    if len(text) > LONGEST_TEXT:
        yield Problem(
            key,
            "",
            f"the {what} has {len(text)} characters, and {LONGEST_TEXT} are allowed",
            "Shorten it",
        )
    elif found := NO_TEXT.search(text):
        yield Problem(
            key,
            "",
            f"the {what} holds U+{ord(found[0]):04X}, which is no character of a text",
            "Remove it",
        )
