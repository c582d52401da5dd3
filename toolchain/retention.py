"""`usage` and `prune`: the states of all stacks, handed to the program that looks and removes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from toolchain.engine_choice import EngineChoice
from toolchain.errors import ToolchainError
from toolchain.places import Places
from toolchain.process import follow, run
from toolchain.progress import say
from toolchain.stack import stacks_of


def usage(places: Places, stack: str, environment: Mapping[str, str]) -> int:
    """Tell what takes the room on the stack's host."""
    stacks = stacks_of(places, environment)
    if stack not in stacks:
        msg = f"the stack {stack} is not there: make up STACK={stack} makes it"
        raise ToolchainError(msg)
    with _states(places, stack, stacks, environment) as states:
        say(f"Looking at what takes the room on the host of {stack}")
        return _program(["usage", *states], places, environment)


def prune(
    places: Places,
    choice: EngineChoice,
    stack: str,
    environment: Mapping[str, str],
    *,
    images: bool,
    yes: bool,
) -> int:
    """Show what no stack refers to, ask, and remove it; of a stack that is gone, what it left."""
    stacks = stacks_of(places, environment)
    agreed = ["--yes"] if yes else []
    if stack not in stacks:
        say(f"The stack {stack} is not there: looking for what it has left")
        engine = ["--engine", choice.host] if choice.chosen_by else []
        return _program(["gone", stack, *engine, *agreed], places, environment)
    with _states(places, stack, stacks, environment) as states:
        say(f"Looking for what no stack refers to on the host of {stack}")
        words = [*agreed, *(["--images"] if images else [])]
        return _program(["prune", *states, *words], places, environment)


def _program(words: list[str], places: Places, environment: Mapping[str, str]) -> int:
    return follow(
        [places.venv / "bin" / "python", "-m", "retention", *words],
        env=environment,
        cwd=places.repository,
    )


@contextmanager
def _states(
    places: Places, stack: str, stacks: list[str], environment: Mapping[str, str]
) -> Iterator[list[str]]:
    """Files with the state of the stack and then of all others: what is secret stays encrypted."""
    with tempfile.TemporaryDirectory() as folder:
        ordered = [stack, *(other for other in stacks if other != stack)]
        files = [str(Path(folder) / f"{index}.json") for index in range(len(ordered))]
        for name, file in zip(ordered, files, strict=True):
            run(
                ["pulumi", "stack", "export", "--stack", name, "--file", file],
                title=f"reading the state of {name}",
                env=environment,
                cwd=places.repository,
            )
        yield files
