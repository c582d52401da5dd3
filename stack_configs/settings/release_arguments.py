"""The arguments of `llamafactory-cli train`, as the pinned LLaMA-Factory release itself has them.

The table is made by `in_container/argument_table.py` inside the release's image; a test makes it
again and compares.
"""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import WithJsonSchema

TABLE = Path(__file__).with_name("llamafactory_arguments.json")

_WORDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "text": "text",
    "list": "a list",
    "map": "a section with keys of its own",
}


@dataclass(frozen=True, kw_only=True)
class ReleaseArgument:
    """One argument of the release."""

    name: str
    kinds: tuple[str, ...]
    """What YAML may give: boolean, integer, number, text, list, map. Empty: nothing that it can."""
    choices: tuple[Any, ...]
    """Empty where any value of the kinds will do."""
    optional: bool
    """Whether it may be left empty."""
    default: Any
    help: str

    @property
    def holds_several(self) -> bool:
        """Whether its text is a list in all but form: `q_proj,v_proj`."""
        return self.kinds == ("text",) and "Use commas to separate" in self.help

    def rule_broken_by(self, value: Any) -> str | None:
        """What the value must be and is not; None where it will do."""
        if value is None:
            return None if self.optional else "must not be empty"
        if self.choices:
            words = ", ".join(str(choice) for choice in self.choices)
            return None if value in self.choices else f"must be one of {words}"
        if any(_is(value, kind) for kind in self.kinds):
            return None
        return f"must be {' or '.join(_WORDS[kind] for kind in self.kinds) or 'left out'}"


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "text":
            return isinstance(value, str)
        case "list":
            return isinstance(value, list | tuple)
    return isinstance(value, dict)


ArgumentValue = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "number"},
                {"type": "boolean"},
                {"type": "array", "items": {"type": "string"}},
                {"type": "object", "additionalProperties": {"type": "string"}},
            ]
        }
    ),
]
"""What an argument of the release may hold: the table says what each of them takes."""

_TABLE = json.loads(TABLE.read_text(encoding="utf-8"))

RELEASE: str = _TABLE["release"]
"""The LLaMA-Factory release that the table describes."""

RELEASE_ARGUMENTS: Mapping[str, ReleaseArgument] = {
    name: ReleaseArgument(
        name=name,
        kinds=tuple(row["kinds"]),
        choices=tuple(row.get("choices", ())),
        optional=row.get("optional", False),
        default=row["default"],
        help=row["help"],
    )
    for name, row in _TABLE["arguments"].items()
}


def nearest(given: str, known: Iterable[str]) -> str | None:
    """The name, or the word, that a misspelt one means."""
    close = difflib.get_close_matches(given, list(known), n=1, cutoff=0.7)
    return close[0] if close else None
