"""What is wrong with an operator's input or host, in the one shape that all rooms report it in."""

from collections.abc import Sequence
from dataclasses import dataclass


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
        given = f" is {self.value}" if self.value else ""
        return f"{self.key}{given}: {self.rule}. {self.way_out}."


class SettingsError(Exception):
    """The settings do not describe a pipeline that could run, or the host could not run it."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source, self.problems = source, tuple(problems)
        super().__init__(source, self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        found = "1 problem" if count == 1 else f"{count} problems"
        return f"{self.source}: {found}\n" + "\n".join(
            f"  - {problem}" for problem in self.problems
        )
