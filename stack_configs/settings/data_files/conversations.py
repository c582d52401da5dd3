"""Conversations (sharegpt, openai): turns in the order that LLaMA-Factory trains, or not at all.

It skips a conversation out of turn with a warning: the row would be lost.
"""

from collections.abc import Iterator
from typing import Any

from stack_configs.settings.data_files.layout import Layout
from stack_configs.settings.data_files.media import Media
from stack_configs.settings.data_files.rows import common_problems
from stack_configs.settings.data_files.tools import (
    call_problem,
    calls_problem,
    described_tools_problem,
    same_form,
)

MOST_ORDERS = 10_000
"""Orders of roles that are remembered; with more of them, each conversation is looked at anew."""

TEXTS = {str}


class ShareGptRows:
    """A question or an observation, then an answer or a call, and so on."""

    def __init__(self, layout: Layout, media: Media) -> None:
        self._layout, self._media = layout, media
        self._column, self._tags = layout.messages or "", layout.tags
        tags = layout.tags
        self._askers = (tags.user, tags.observation)
        self._answerers = (tags.assistant, tags.function)
        self._has_more = bool(layout.system or layout.tools or layout.verdict)
        self._right: set[tuple[str, ...]] = set()
        """Orders of roles that were found right, and hold no call."""

    def problems(self, row: dict[str, Any]) -> list[str]:
        """What is wrong with a row."""
        found = common_problems(row, self._layout) if self._has_more else []
        for answer in self._layout.ranked:
            found += self._ranked_problems(row, answer)
        turns = row.get(self._column)
        if type(turns) is not list or not turns:
            return [*found, f"has no list of turns in column {self._column!r}"]
        order = self._order(turns)
        if order not in self._right:
            problems = self._conversation_problems(turns)
            if order and not problems and len(self._right) < MOST_ORDERS:
                self._right.add(order)
            found += problems
        if self._layout.media:
            found += self._media.problems(row, self._texts(row, turns))
        return found

    def _order(self, turns: list[Any]) -> tuple[str, ...]:
        """Who speaks, turn by turn; empty where the turns themselves must be looked at."""
        tags = self._tags
        role, content = tags.role, tags.content
        try:
            order = tuple([turn[role] for turn in turns])
            if {type(turn[content]) for turn in turns} != TEXTS or tags.function in order:
                return ()
        except (KeyError, TypeError):
            return ()
        return order if set(map(type, order)) == TEXTS else ()

    def _conversation_problems(self, turns: list[Any]) -> list[str]:
        broken = [number for number, turn in enumerate(turns, start=1) if type(turn) is not dict]
        if broken:
            return [f"turn {number} is not an object" for number in broken]
        first = int(turns[0].get(self._tags.role) == self._tags.system)
        found = self._turn_problems(turns, first)
        if first and not isinstance(turns[0].get(self._tags.content), str):
            return [f"turn 1 has no text in {self._tags.content!r}", *found]
        return found

    def _turn_problems(self, turns: list[dict[str, Any]], first: int) -> list[str]:
        tags, found = self._tags, []
        accepted = (self._askers, self._answerers)
        for index in range(first, len(turns)):
            turn = turns[index]
            role, content = turn.get(tags.role), turn.get(tags.content)
            roles = accepted[(index - first) % 2]
            if role not in roles:
                found.append(self._role_problem(f"turn {index + 1}", role, roles))
            if type(content) is not str:
                found.append(f"turn {index + 1} has no text in {tags.content!r}")
            elif role == tags.function and (problem := calls_problem(content)):
                found.append(f"turn {index + 1} {problem}")
        return [*found, *self._end_problems(len(turns) - first)]

    def _end_problems(self, count: int) -> Iterator[str]:
        if count == 0 or (count % 2 == 1) != bool(self._layout.ranked):
            wanted = "a question" if self._layout.ranked else "an answer"
            yield f"must end with {wanted} in column {self._column!r}"

    def _ranked_problems(self, row: dict[str, Any], column: str) -> Iterator[str]:
        turn, tags = row.get(column), self._tags
        if not isinstance(turn, dict):
            yield f"has no turn in column {column!r}"
            return
        role, content = turn.get(tags.role), turn.get(tags.content)
        if role not in self._answerers:
            yield self._role_problem(f"column {column!r}", role, self._answerers)
        if not isinstance(content, str):
            yield f"column {column!r} has no text in {tags.content!r}"
        elif role == tags.function and (problem := calls_problem(content)):
            yield f"column {column!r} {problem}"

    def _role_problem(self, place: str, role: Any, roles: tuple[str, ...]) -> str:
        return f"{place} has {self._tags.role!r} {role!r}, not one of {', '.join(roles)}"

    def _texts(self, row: dict[str, Any], turns: list[Any]) -> Iterator[str]:
        """Where placeholders count: not in the system prompt, and in one of two ranked answers."""
        ranked = [row.get(column) for column in self._layout.ranked[:1]]
        for turn in (turn for turn in [*turns, *ranked] if isinstance(turn, dict)):
            text = turn.get(self._tags.content)
            if isinstance(text, str) and turn.get(self._tags.role) != self._tags.system:
                yield text


class OpenAiRows(ShareGptRows):
    """OpenAI's messages: answers may hold `tool_calls`, and several results of tools are one turn.

    LLaMA-Factory's table gives every call the keys of all others, null where a call has none, and
    would train on those: calls and tools of different forms are refused.
    """

    def __init__(self, layout: Layout, media: Media) -> None:
        super().__init__(layout, media)
        self._first: dict[str, Any] = {}
        """The first arguments and the first tool, for each."""

    def problems(self, row: dict[str, Any]) -> list[str]:
        """What is wrong with a row."""
        found = super().problems(row)
        tools = row.get(self._layout.tools) if self._layout.tools else None
        if tools is not None and not isinstance(tools, str):
            place = f"column {self._layout.tools!r}"
            if problem := described_tools_problem(tools):
                found.append(f"{place} {problem}")
            elif not all([self._fits("tool", tool) for tool in tools]):
                found.append(
                    f"{place} describes tools of different forms: write them as JSON inside a text"
                )
        return found

    def _order(self, turns: list[Any]) -> tuple[str, ...]:
        """As for sharegpt; a turn with calls is always looked at."""
        order = super()._order(turns)
        return () if order and any(turn.get("tool_calls") for turn in turns) else order

    def _turn_problems(self, turns: list[dict[str, Any]], first: int) -> list[str]:
        tags, found = self._tags, []
        aligned: list[tuple[Any, int]] = []
        for number, turn in enumerate(turns[first:], start=first + 1):
            role, calls = turn.get(tags.role), turn.get("tool_calls")
            if calls and role in self._answerers:
                role = tags.function
                found += [f"turn {number} {problem}" for problem in self._call_problems(calls)]
            elif type(content := turn.get(tags.content)) is not str:
                found.append(f"turn {number} has no text in {tags.content!r}")
            elif role == tags.function and (problem := calls_problem(content)):
                found.append(f"turn {number} {problem}")
            # Results of tools that follow each other are one turn.
            if not (aligned and role == aligned[-1][0] == tags.observation):
                aligned.append((role, number))
        accepted = (self._askers, self._answerers)
        for index, (role, number) in enumerate(aligned):
            roles = accepted[index % 2]
            if role not in roles:
                found.append(self._role_problem(f"turn {number}", role, roles))
        if self._layout.ranked and aligned and aligned[-1][0] == tags.observation:
            return [*found, "ends with the result of a tool, which LLaMA-Factory passes over"]
        return [*found, *self._end_problems(len(aligned))]

    def _call_problems(self, calls: Any) -> Iterator[str]:
        if not isinstance(calls, list):
            yield "has no list in 'tool_calls'"
            return
        for call in calls:
            function = call.get("function") if isinstance(call, dict) else None
            if problem := call_problem(function):
                yield problem
            elif function and not self._fits("arguments", function["arguments"]):
                yield (
                    f"has a call of {function['name']} with other arguments than calls before it. "
                    "Use formatting sharegpt, where calls are JSON inside a text"
                )

    def _fits(self, what: str, value: Any) -> bool:
        return same_form(self._first.setdefault(what, value), value)
