"""How every program here is run: a spec on stdin, one JSON line on stdout, words on stderr."""

import gc
import json
import signal
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from runtime.failure import StepError

INTERRUPTED = 130

Spec = Mapping[str, Any]
Action = Callable[[Spec], Mapping[str, Any]]


class Interrupted(BaseException):
    """The caller went away or asked to stop; the message says what goes on without it."""


def say(line: str) -> None:
    """One line for the operator, at once."""
    try:
        print(line, file=sys.stderr, flush=True)
    except BrokenPipeError as error:
        raise Interrupted from error


def run_program(actions: Mapping[str, Action], arguments: list[str]) -> int:
    """Run the action that the arguments name; the exit code."""
    # What is loaded stays: taking it apart at the exit would cost every step of every up.
    gc.freeze()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        result = _choose(actions, arguments)(_read_spec())
        print(json.dumps(result, sort_keys=True, ensure_ascii=False), flush=True)
    except StepError as error:
        say(f"error: {error}")
        return 1
    except Interrupted as interruption:
        if message := str(interruption):
            say(message)
        return INTERRUPTED
    except BrokenPipeError:
        return INTERRUPTED
    return 0


def part(spec: Spec, key: str) -> Any:
    """One value of a spec that must be there."""
    try:
        return spec[key]
    except KeyError:
        raise StepError(
            f"the spec on stdin has no {key!r}; the program that wrote it must"
        ) from None


def _choose(actions: Mapping[str, Action], arguments: list[str]) -> Action:
    allowed = " or ".join(sorted(actions))
    if len(arguments) != 1 or arguments[0] not in actions:
        raise StepError(f"the arguments are {arguments}: say {allowed}, with a spec on stdin")
    return actions[arguments[0]]


def _read_spec() -> Spec:
    try:
        spec = json.load(sys.stdin)
    except ValueError as error:
        raise StepError(f"the spec on stdin is no JSON ({error}); send one JSON object") from error
    if not isinstance(spec, dict):
        raise StepError("the spec on stdin is no JSON object; send one")
    return spec


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted
