"""Rows as questions and answers, whatever their layout: what a held-out set is asked with."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plan.evaluation import ToolCall
from stack_configs.settings.data_files.check import data_files
from stack_configs.settings.data_files.layout import Layout
from stack_configs.settings.data_files.reading import DigestedFile, read_batches
from stack_configs.settings.data_files.tools import JSON_START

Message = Mapping[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """An answer of a row, and what comes before it, in the words of Ollama's API."""

    messages: tuple[Message, ...]
    """The last one asks. Without the system prompt."""
    answer: Message

    @property
    def asked(self) -> str:
        """The last question, however its lines are broken."""
        return " ".join(str(self.messages[-1]["content"]).split())

    @property
    def conversation(self) -> tuple[tuple[str, str], ...]:
        """Who said what before the answer, likewise."""
        return tuple(
            (
                message["role"],
                " ".join(str(message["content"]).split())
                + json.dumps(message.get("tool_calls", []), sort_keys=True),
            )
            for message in self.messages
        )


def read_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """The rows of a file or folder that was checked, each with the words for its place."""
    for file in data_files(path):
        within = f"{file.name}, " if path.is_dir() else ""
        with DigestedFile(file) as content:
            unit, batches = read_batches(content, file.suffix)
            for batch in batches:
                yield from ((f"{within}{unit} {number}", row) for number, row in batch)


def exchanges(row: Row, layout: Layout) -> Iterator[Exchange]:
    """Every answer that a row trains, in order; none of a row of texts alone."""
    turns = _turns(row, layout)
    for index, turn in enumerate(turns):
        if turn["role"] == "assistant" and index:
            yield Exchange(messages=tuple(turns[:index]), answer=turn)


def system_of(row: Row, layout: Layout) -> str | None:
    """The row's system prompt."""
    if layout.formatting != "alpaca":
        first = row[layout.messages or ""][0]
        if first.get(layout.tags.role) == layout.tags.system:
            return str(first[layout.tags.content])
    found = row.get(layout.system) if layout.system else None
    return str(found) if found else None


def tools_of(row: Row, layout: Layout) -> list[dict[str, Any]]:
    """The tools that a row describes."""
    found = row.get(layout.tools) if layout.tools else None
    described = json.loads(found) if isinstance(found, str) and found else found or []
    return list(described)


def calls_of(message: Message) -> tuple[ToolCall, ...]:
    """The calls that an answer makes."""
    functions = [call["function"] for call in message.get("tool_calls", ())]
    return tuple(ToolCall(name=f["name"], arguments=f["arguments"]) for f in functions)


def _turns(row: Row, layout: Layout) -> list[Message]:
    if layout.formatting == "alpaca":
        return _alpaca_turns(row, layout)
    tags = layout.tags
    turns = [turn for turn in row[layout.messages or ""] if turn[tags.role] != tags.system]
    better = [row[column] for column in layout.ranked[:1]]
    return [_turn(turn, layout) for turn in (*turns, *better)]


def _alpaca_turns(row: Row, layout: Layout) -> list[Message]:
    asked = [row.get(column) for column in (layout.prompt, layout.query) if column]
    column = layout.ranked[0] if layout.ranked else layout.response
    answer = row.get(column) if column else None
    history = (row.get(layout.history) if layout.history else None) or []
    pairs = [*history, ("\n".join(text for text in asked if text), answer)]
    return [
        {"role": role, "content": text}
        for pair in pairs
        for role, text in zip(("user", "assistant"), pair, strict=True)
        if text is not None
    ]


def _turn(turn: Row, layout: Layout) -> Message:
    tags, role = layout.tags, turn[layout.tags.role]
    if calls := turn.get("tool_calls"):
        return {"role": "assistant", "content": turn.get(tags.content) or "", "tool_calls": calls}
    text = turn[tags.content]
    if role == tags.function:
        return _call(text)
    roles = {tags.assistant: "assistant", tags.observation: "tool"}
    return {"role": roles.get(role, "user"), "content": text}


def _call(text: str) -> Message:
    """A turn that calls tools; thoughts may stand before the calls."""
    start = JSON_START.search(text)
    try:
        made = json.loads(text[start.start() :] if start else "")
        calls = [
            {"function": {"name": call["name"], "arguments": call["arguments"]}}
            for call in (made if isinstance(made, list) else [made])
        ]
    except (ValueError, TypeError, KeyError):
        # A bracket stands in the thoughts: which words enclose those is the template's matter.
        return {"role": "assistant", "content": text}
    return {
        "role": "assistant",
        "content": text[: start.start()] if start else "",
        "tool_calls": calls,
    }
