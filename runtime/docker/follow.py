"""Following a container until it ends: its end is noticed at once, its progress once a second.

A connection that is lost meanwhile is made again: the container goes on without it.
"""

import os
import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from runtime.docker import containers
from runtime.docker.engine import PATIENCE_SECONDS, Engine
from runtime.failure import EngineError, EngineUnreachableError, StepError
from runtime.program import Interrupted, say

TICK_SECONDS = 1.0
LOOK_SECONDS = 15.0
"""How often the engine is asked whether the container still runs: a connection that waits for its
end cannot tell that it is lost."""

ANSWER_SECONDS = 20.0
"""For looks that end soon on any engine that is there."""

OUTAGE_SECONDS = 600.0
"""For how long an engine that answers no more is tried again."""

RETRY_SECONDS = 2.0

AT_WORK = ("running", "paused", "restarting")


class DeadlinePassedError(StepError):
    """The container has been at work for longer than it may."""


def follow(
    engine: Engine,
    container: str,
    *,
    deadline: float,
    on_tick: Callable[[float], None],
    tell: Callable[[str], None] = say,
) -> None:
    """Wait for a started container to end.

    `on_tick` gets the seconds since the container started; `tell` hears that the engine is away and
    that it is back. Raises `EngineUnreachableError` when it stays away, and `Interrupted` when the
    caller goes away: the container is left at work.
    """
    caller = os.getppid()
    outage = _Outage(engine, tell)
    while True:
        try:
            watch = _Watch(engine, container)
            outage.end()
            while watch.goes_on():
                if os.getppid() != caller:
                    raise Interrupted
                elapsed = watch.elapsed
                if elapsed > deadline:
                    raise DeadlinePassedError
                on_tick(elapsed)
        except EngineUnreachableError as error:
            if os.getppid() != caller:
                raise Interrupted from None
            outage.endure(error)
        else:
            return


def read_log(engine: Engine, container: str, *, lines: int) -> str:
    """The end of a container's log; empty where its log driver keeps none to read."""
    try:
        with engine.calls(patience=ANSWER_SECONDS) as api:
            content: bytes = api.logs(container, tail=lines)
    except EngineError:
        return ""
    return content.decode(errors="replace")


class _Watch:
    """One connection that waits for the end, and looks beside it."""

    def __init__(self, engine: Engine, container: str) -> None:
        self._engine, self._container = engine, container
        self._ended: queue.SimpleQueue[StepError | None] = queue.SimpleQueue()
        self._look()
        self._wait()

    @property
    def elapsed(self) -> float:
        """Seconds since the container started."""
        return max(0.0, (datetime.now(UTC) - self._started).total_seconds())

    def goes_on(self) -> bool:
        """Whether the container still runs, a tick later or as soon as it has ended."""
        try:
            failure = self._ended.get(timeout=TICK_SECONDS)
        except queue.Empty:
            if time.monotonic() - self._looked > LOOK_SECONDS:
                self._look()
            return self._is_at_work
        if isinstance(failure, EngineUnreachableError):
            # Perhaps only this connection was lost: something between ends the silent ones.
            time.sleep(TICK_SECONDS)
            self._look()
            self._wait()
            return self._is_at_work
        if failure is not None:
            raise failure
        return False

    def _look(self) -> None:
        with self._engine.calls(patience=ANSWER_SECONDS) as api:
            state = api.inspect_container(self._container)["State"]
        self._looked = time.monotonic()
        self._is_at_work = state["Status"] in AT_WORK
        self._started = containers.moment(state["StartedAt"])

    def _wait(self) -> None:
        threading.Thread(target=self._wait_for_end, args=(self._ended,), daemon=True).start()

    def _wait_for_end(self, ended: "queue.SimpleQueue[StepError | None]") -> None:
        try:
            with self._engine.calls() as api:
                api.wait(self._container, timeout=PATIENCE_SECONDS)
        except StepError as error:
            ended.put(error)
        else:
            ended.put(None)


class _Outage:
    """The time for which an engine does not answer."""

    def __init__(self, engine: Engine, tell: Callable[[str], None]) -> None:
        self._engine, self._tell = engine, tell
        self._began: float | None = None

    def endure(self, error: EngineUnreachableError) -> None:
        """Tell it once and pause before the next attempt. Raises when it has lasted too long."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
            self._tell(f"{error.reason}: trying again for {OUTAGE_SECONDS / 60:.0f} minutes")
        if now - self._began > OUTAGE_SECONDS:
            raise EngineUnreachableError(
                f"{error.reason}, and has not for {OUTAGE_SECONDS / 60:.0f} minutes",
                "The container goes on there; the next `pulumi up` attaches to it",
            ) from error
        self._engine.close()
        time.sleep(RETRY_SECONDS)

    def end(self) -> None:
        """Tell that it is over, if there was one."""
        if self._began is not None:
            self._began = None
            self._tell("the engine answers again")
