"""What an operator may do about a value that does not fit: the nearest one that does."""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

NUMBER_KINDS = {"int_parsing", "int_type", "float_parsing", "float_type"}
LONGEST_WORD = 100
"""No setting's name or word is as long; comparing longer ones takes long."""
LIST_KINDS = {"tuple_type", "list_type"}


def find_way_out(details: Sequence[ErrorDetails], field: FieldInfo | None, *, is_name: bool) -> str:
    """One sentence. `details`: what is wrong with one value; `field`: the setting, if there is one.

    `is_name`: whether it may be respelt, as a name that only this file uses.
    """
    return next(_ways_out(details, field, is_name=is_name), "Give a value that fits")


def did_you_mean(given: str, known: Sequence[str], also: Iterable[str] = ()) -> str:
    """The nearest of the words that are known, or all of them.

    Those that are `also` known are too many to be listed.
    """
    words = [*known, *also]
    for spelt in (given, given.lower()) if len(given) <= LONGEST_WORD else ():
        if close := difflib.get_close_matches(spelt, words, n=1, cutoff=0.7):
            return f"Did you mean {close[0]}"
    return f"Use one of: {', '.join(known)}" if known else "Remove it"


def _ways_out(
    details: Sequence[ErrorDetails], field: FieldInfo | None, *, is_name: bool
) -> Iterator[str]:
    kinds, value = {detail["type"] for detail in details}, details[0]["input"]
    if "invalid_key" in kinds:
        yield "Put the key in quotes"
    if "too_short" in kinds:
        yield "Add one"
    if "model_type" in kinds or "dict_type" in kinds:
        yield "Write its keys on lines below it, or remove it"
    if value is None:
        yield "Give it a value, or remove the key"
    if "string_type" in kinds and isinstance(value, int | float):
        yield "Put it in quotes: YAML reads 3.10 as the number 3.1"
    if kinds <= {"bool_type", "bool_parsing"}:
        yield "Write true or false"
    if kinds == {"literal_error"}:
        expected = details[0].get("ctx", {}).get("expected", "")
        yield did_you_mean(
            str(value), [a or b for a, b in re.findall(r"'([^']+)'|\b(\d+)\b", expected)]
        )
    if kinds & LIST_KINDS and isinstance(value, str | int | float):
        yield f"Write it as a list: [{value}]" if _is_plain(value) else "Write it as a list"
    if kinds & NUMBER_KINDS and isinstance(value, str):
        yield from _numbers_in(value)
    if "string_pattern_mismatch" in kinds and isinstance(value, str):
        pattern = details[-1].get("ctx", {}).get("pattern", "")
        if meant := _meant(value, pattern, is_name=is_name):
            yield f"Write {meant}"
        if field and field.examples:
            yield f"Give a value such as {field.examples[0]}"


def _numbers_in(text: str) -> Iterator[str]:
    """`16GB` and `1,000` hold the number that is meant, `4k` does not."""
    if re.fullmatch(r"\s*[\d.]+\s*[kKmM]\s*", text):
        yield "Write the number in full, such as 4096"
    elif found := re.fullmatch(r"\s*(-?\d+(?:[,_' ]\d{3})*(?:\.\d+)?)\s*[A-Za-z%]*\s*", text):
        number = re.sub(r"[,_' ]", "", found[1])
        yield f"Write {number}: a number alone, in the unit that the key has"


def _meant(text: str, pattern: str, *, is_name: bool) -> str | None:
    """What an operator may have meant by a text that does not match, if that does."""
    without_scheme = text.partition("://")[2].rstrip("/")
    candidates = [
        # A page of the hub: its site, perhaps `models`, then the id.
        "/".join([part for part in without_scheme.split("/")[1:] if part != "models"][:2]),
        without_scheme,
        text.strip().rstrip("/"),
        # An image's name, and not its tag.
        re.sub(r"^[^:]*", lambda name: name[0].lower(), text),
        text.lower(),
        f"unix://{text}" if text.startswith("/") else "",
    ]
    if is_name:
        candidates += [re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")]
    # What stands before an @ may be a password.
    fitting = (each for each in candidates if "@" not in each and re.search(pattern, each))
    return next(fitting, None)


def _is_plain(value: Any) -> bool:
    """Whether it may be shown, and is one word to YAML."""
    return re.fullmatch(r"[\w./-]+", str(value)) is not None
