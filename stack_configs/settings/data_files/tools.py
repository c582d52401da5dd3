"""Tools and calls of them, as LLaMA-Factory's formatters read them (JSON inside a text)."""

import json
import re
from typing import Any

JSON_START = re.compile(r"[\[{]")


def tools_problem(text: str) -> str | None:
    """What is wrong with a description of tools; None when nothing is."""
    if not text:
        return None
    try:
        tools = json.loads(text)
    except json.JSONDecodeError as error:
        return f"is not valid JSON (character {error.pos + 1}: {error.msg})"
    return described_tools_problem(tools)


def described_tools_problem(tools: Any) -> str | None:
    """The same for a description that is parsed already."""
    if not isinstance(tools, list):
        return "is no list of tools"
    for number, tool in enumerate(tools, start=1):
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            return f"has no name in tool {number}"
    return None


def calls_problem(text: str) -> str | None:
    """What is wrong with the calls that a turn of the function role makes.

    Thoughts may stand before them; which words enclose those is the template's matter, so that
    what stands behind a thought is looked at by LLaMA-Factory alone.
    """
    if not JSON_START.match(text.lstrip()):
        return None if JSON_START.search(text) else "holds no call (JSON with name and arguments)"
    try:
        calls = json.loads(text)
    except json.JSONDecodeError as error:
        return f"is not valid JSON (character {error.pos + 1}: {error.msg})"
    for call in calls if isinstance(calls, list) else [calls]:
        if problem := call_problem(call):
            return problem
    return None


def call_problem(call: Any) -> str | None:
    """What is wrong with one call."""
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return "has a call without a name"
    if not isinstance(call.get("arguments"), dict):
        # A text would be quoted once more, and no server takes that for a call.
        return f"has a call of {call['name']} whose arguments are no object"
    return None


def same_form(value: Any, other: Any) -> bool:
    """Whether the loader's table keeps both as they are: it gives all rows the keys of each."""
    if value is None or other is None:
        return True
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(
            same_form(item, other[key]) for key, item in value.items()
        )
    if isinstance(value, list) and isinstance(other, list):
        items = value + other
        return all(same_form(items[0], item) for item in items)
    return type(value) is type(other)
