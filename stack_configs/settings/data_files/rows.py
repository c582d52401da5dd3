"""Rows of questions and answers (alpaca), each held against what LLaMA-Factory will read."""

from collections.abc import Iterator
from typing import Any, Protocol

from stack_configs.settings.data_files.layout import Layout
from stack_configs.settings.data_files.media import Media
from stack_configs.settings.data_files.tools import tools_problem


class RowCheck(Protocol):
    """Says what is wrong with one row after the other."""

    def problems(self, row: dict[str, Any]) -> list[str]:
        """Each in words that follow the row's number; none when the row is right."""


class AlpacaRows:
    """LLaMA-Factory drops a row without an answer, and trains on an empty question."""

    def __init__(self, layout: Layout, media: Media, *, question_required: bool = True) -> None:
        self._layout, self._media = layout, media
        self._prompt, self._query = layout.prompt or "", layout.query
        self._answers = layout.ranked or ((layout.response,) if layout.response else ())
        self._question_required = question_required
        self._has_more = bool(
            layout.history or layout.system or layout.tools or layout.verdict or layout.media
        )

    def problems(self, row: dict[str, Any]) -> list[str]:
        """What is wrong with a row."""
        found: list[str] = []
        prompt = row.get(self._prompt)
        if type(prompt) is not str or not prompt:
            found += self._question_problems(row, prompt)
        query = row.get(self._query) if self._query else None
        if query is not None and type(query) is not str:
            found.append(f"has no text in column {self._query!r}")
        for column in self._answers:
            answer = row.get(column)
            if type(answer) is not str or not answer:
                found.append(f"has no text in column {column!r}")
        if self._has_more:
            found += _common_problems(row, self._layout)
            found += self._history_problems(row)
            found += self._media.problems(row, self._texts(row)) if self._layout.media else ()
        return found

    def _question_problems(self, row: dict[str, Any], prompt: Any) -> Iterator[str]:
        """A question may stand in the query alone, and a line of a text file may be blank."""
        asked = not self._question_required or (self._query and row.get(self._query))
        if not (asked and prompt in (None, "")):
            yield f"has no text in column {self._prompt!r}"

    def _history_problems(self, row: dict[str, Any]) -> Iterator[str]:
        """Pairs of an earlier question and its answer. What is no list is passed over."""
        column = self._layout.history
        history = row.get(column) if column else None
        if history is None:
            return
        if not isinstance(history, list):
            yield f"has no list of pairs in column {column!r}"
            return
        for number, pair in enumerate(history, start=1):
            if not (
                isinstance(pair, list) and [type(text) for text in pair] == [str, str] and all(pair)
            ):
                yield f"has no question and answer in pair {number} of column {column!r}"

    def _texts(self, row: dict[str, Any]) -> Iterator[str]:
        """Where placeholders count. Each ranked answer is trained by itself."""
        answers = self._answers[:1]
        history = row.get(self._layout.history) if self._layout.history else None
        pairs = [pair for pair in history if isinstance(pair, list)] if history else []
        values = [row.get(self._prompt), row.get(self._query) if self._query else None]
        values += [row.get(column) for column in answers]
        values += [text for pair in pairs for text in pair]
        return (value for value in values if isinstance(value, str))


def common_problems(row: dict[str, Any], layout: Layout) -> list[str]:
    """What can be wrong with the columns that both kinds of rows have."""
    return list(_common_problems(row, layout))


def _common_problems(row: dict[str, Any], layout: Layout) -> Iterator[str]:
    if layout.verdict is not None and not isinstance(row.get(layout.verdict), bool):
        yield f"has no true or false in column {layout.verdict!r}"
    if layout.system is not None and not isinstance(row.get(layout.system), str | None):
        yield f"has no text in column {layout.system!r}"
    if layout.tools is None or (tools := row.get(layout.tools)) is None:
        return
    if isinstance(tools, str):
        if problem := tools_problem(tools):
            yield f"column {layout.tools!r} {problem}"
    elif layout.formatting != "openai":
        yield f"has no text in column {layout.tools!r}: write the tools as JSON inside a text"
