"""The rows of a data file: read, and held against the columns that LLaMA-Factory will look for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHOWN = 3
"""Problems named per file; the rest are counted."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which columns a row must have. Either `prompt` (alpaca) or `messages` (sharegpt) is set."""

    prompt: str | None = None
    query: str | None = None
    answers: tuple[str, ...] = ()
    messages: str | None = None
    role_tag: str = "from"
    content_tag: str = "value"
    askers: tuple[str, ...] = ()
    """Roles of a conversation's odd turns."""
    answerers: tuple[str, ...] = ()
    """Roles of its even turns."""
    system_role: str = "system"
    """Role of a turn that may come before them."""
    verdict: str | None = None
    """Column that says whether an answer is wanted (KTO)."""


def read_rows(path: Path) -> list[Any] | str:
    """The rows of a `.json` or `.jsonl` file, or what is wrong with the file."""
    if path.suffix not in (".json", ".jsonl"):
        return "must be a .json or .jsonl file"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return "does not exist"
    except (OSError, UnicodeDecodeError) as error:
        return f"cannot be read ({error})"
    try:
        rows = list(_parse_lines(text)) if path.suffix == ".jsonl" else json.loads(text)
    except json.JSONDecodeError as error:
        return f"is not valid JSON (line {error.lineno}: {error.msg})"
    if not isinstance(rows, list) or not rows:
        return "must be a list of at least one row"
    return rows


def _parse_lines(text: str) -> Iterator[Any]:
    start = 0
    # Not splitlines(): JSON allows its other line separators inside a text.
    for line in text.split("\n"):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise json.JSONDecodeError(error.msg, text, start + error.pos) from None
        start += len(line) + 1


def check_rows(rows: list[Any], layout: Layout) -> list[str]:
    """What is wrong with the rows, the first few in words and the rest as a number."""
    problems = [
        f"row {number} {problem}"
        for number, row in enumerate(rows, start=1)
        for problem in _row_problems(row, layout)
    ]
    if len(problems) > SHOWN:
        return [*problems[:SHOWN], f"and {len(problems) - SHOWN} more"]
    return problems


def _row_problems(row: Any, layout: Layout) -> Iterator[str]:
    if not isinstance(row, dict):
        yield "is not an object"
        return
    if layout.verdict is not None and not isinstance(row.get(layout.verdict), bool):
        yield f"has no true or false in column {layout.verdict!r}"
    if layout.messages is None:
        yield from _text_problems(row, layout.prompt or "", required=True)
        if layout.query is not None:
            yield from _text_problems(row, layout.query, required=False)
        for answer in layout.answers:
            yield from _text_problems(row, answer, required=True)
        return
    yield from _conversation_problems(row, layout.messages, layout)


def _conversation_problems(row: dict[str, Any], column: str, layout: Layout) -> Iterator[str]:
    """LLaMA-Factory skips a conversation out of turn with a warning: the row would be lost."""
    for answer in layout.answers:
        if isinstance(row.get(answer), dict):
            yield from _turn_problems(row[answer], f"column {answer!r}", layout.answerers, layout)
        else:
            yield f"has no turn in column {answer!r}"
    turns = row.get(column)
    if not isinstance(turns, list) or not turns:
        yield f"has no list of turns in column {column!r}"
        return
    first = turns[0]
    skipped = int(isinstance(first, dict) and first.get(layout.role_tag) == layout.system_role)
    for number, turn in enumerate(turns[skipped:], start=1):
        roles = layout.askers if number % 2 else layout.answerers
        yield from _turn_problems(turn, f"turn {number + skipped}", roles, layout)
    count = len(turns) - skipped
    if count == 0 or (count % 2 == 1) != bool(layout.answers):
        wanted = "a question" if layout.answers else "an answer"
        yield f"must end with {wanted} in column {column!r}"


def _turn_problems(turn: Any, place: str, roles: tuple[str, ...], layout: Layout) -> Iterator[str]:
    if not isinstance(turn, dict):
        yield f"{place} is not an object"
        return
    if turn.get(layout.role_tag) not in roles:
        yield (
            f"{place} has {layout.role_tag!r} {turn.get(layout.role_tag)!r}, "
            f"not one of {', '.join(roles)}"
        )
    if not isinstance(turn.get(layout.content_tag), str):
        yield f"{place} has no text in {layout.content_tag!r}"


def _text_problems(row: dict[str, Any], column: str, *, required: bool) -> Iterator[str]:
    value = row.get(column)
    if isinstance(value, str) and (value or not required):
        return
    if value is None and not required:
        return
    yield f"has no text in column {column!r}"
