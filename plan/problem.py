"""What is wrong with an operator's input or host, in the one shape that all rooms report it in."""

from collections.abc import Sequence
from dataclasses import dataclass

LONGEST_VALUE = 200
LONGEST_RULE = 4000
MOST_SHOWN = 100
"""Problems that are told in words; the rest are counted."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to put right: where, what was given, which rule it breaks, and the way out."""

    key: str
    """Settings key as a path, such as `models[0].template`."""
    value: str
    """What was given, as the operator would recognise it; empty when nothing was."""
    rule: str
    way_out: str

    def __str__(self) -> str:
        key, value = _shown(self.key, LONGEST_VALUE), _shown(self.value, LONGEST_VALUE)
        rule, way_out = _shown(self.rule, LONGEST_RULE), _shown(self.way_out, LONGEST_RULE)
        given = f" is {value}" if value else ""
        return f"{key}{given}: {rule}. {way_out}."


def _shown(text: str, longest: int) -> str:
    """The text on a line, whatever is in it, and cut where nobody would read on."""
    cut = f"{text[:longest]}… ({len(text)} characters)" if len(text) > longest else text
    return cut if cut.isprintable() else "".join(map(_printable, cut))


def _printable(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


class SettingsError(Exception):
    """The settings do not describe a pipeline that could run, or the host could not run it."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source, self.problems = source, tuple(problems)
        super().__init__(source, self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        found = "1 problem" if count == 1 else f"{count} problems"
        lines = [f"  - {problem}" for problem in self.problems[:MOST_SHOWN]]
        if count > MOST_SHOWN:
            lines.append(f"  and {count - MOST_SHOWN} more")
        return "\n".join((f"{self.source}: {found}", *lines))
