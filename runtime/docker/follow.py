"""Following a container until it ends: its end is noticed at once, its progress once a second."""

import os
import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from runtime.docker.containers import inspect
from runtime.docker.engine import Engine
from runtime.failure import EngineError, StepError
from runtime.program import Interrupted

TICK_SECONDS = 1.0


class DeadlinePassedError(StepError):
    """The container has been at work for longer than it may."""


def follow(
    engine: Engine, container: str, *, deadline: float, on_tick: Callable[[float], None]
) -> None:
    """Wait for a started container to end.

    `on_tick` gets the seconds since the container started. Raises `Interrupted` when the caller
    goes away: the container is left at work.
    """
    ended: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
    threading.Thread(target=_wait, args=(engine, container, ended), daemon=True).start()
    started = _started_at(engine, container)
    caller = os.getppid()
    while True:
        try:
            failure = ended.get(timeout=TICK_SECONDS)
        except queue.Empty:
            elapsed = max(0.0, (datetime.now(UTC) - started).total_seconds())
            if os.getppid() != caller:
                raise Interrupted from None
            if elapsed > deadline:
                raise DeadlinePassedError from None
            on_tick(elapsed)
            continue
        if failure is not None:
            raise failure
        return


def read_log(engine: Engine, container: str, *, lines: int) -> str:
    """The end of a container's log; empty where its log driver keeps none to read."""
    try:
        with engine.calls() as api:
            content: bytes = api.logs(container, tail=lines)
    except EngineError:
        return ""
    return content.decode(errors="replace")


def _wait(engine: Engine, container: str, ended: "queue.SimpleQueue[Exception | None]") -> None:
    try:
        with engine.calls() as api:
            api.wait(container)
    except StepError as error:
        ended.put(error)
    else:
        ended.put(None)


def _started_at(engine: Engine, container: str) -> datetime:
    told = str(inspect(engine, container)["State"]["StartedAt"])
    # The engine writes nanoseconds, of which Python 3.11 reads no more than microseconds.
    return datetime.fromisoformat(told[:19]).replace(tzinfo=UTC)
