"""How every program here is run: a request on stdin, one JSON line on stdout, words on stderr."""

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from plan.codec import DecodeError, decode, encode
from plan.step import Request, StepPlan
from runtime.failure import StepError

INTERRUPTED = 130


class Interrupted(BaseException):
    """The caller went away or asked to stop; the message says what goes on without it."""


class Program(Protocol):
    """A module that converges one kind of step."""

    KIND: type[StepPlan]
    """What its requests hold."""

    converge: Callable[[Request[Any]], Any]
    """Makes what the step is to leave behind, unless it is there. Its result is for the graph."""

    delete: Callable[[Request[Any]], Any]
    """Takes back what the step alone has; what it made for others stays."""


def say(line: str) -> None:
    """One line for the operator, at once."""
    try:
        print(line, file=sys.stderr, flush=True)
    except BrokenPipeError as error:
        raise Interrupted from error


def run_program(program: Program, action: str) -> int:
    """Converge or delete what the request on stdin asks for; the exit code."""
    act = {"converge": program.converge, "delete": program.delete}[action]
    return run(act, Request[program.KIND])  # type: ignore[name-defined]


def run(act: Callable[[Any], Any], kind: type[Any]) -> int:
    """Do what the request on stdin, of this kind, asks for; the exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        print(encode(act(decode(kind, sys.stdin.read()))), flush=True)
    except DecodeError as error:
        say(f"error: the request on stdin cannot be read: {error}")
        return 1
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


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted
