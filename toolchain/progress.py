"""What the toolchain says while it works."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

QUIET_SECONDS = 20.0
"""Without a terminal, the longest that a running step stays silent."""


def say(text: str) -> None:
    """Tell the operator what comes next."""
    print(f"==> {text}", flush=True)


class Step:
    """One step that may take a while: named before it starts, heard of while it lasts.

    On a terminal the line is rewritten in place. Elsewhere (a pipe, a build log) a new line is
    printed now and then, so that the log shows that the work goes on.
    """

    def __init__(self, title: str) -> None:
        """Name the step; it starts on entry."""
        self.title = title
        self._detail = ""
        self._terminal = sys.stdout.isatty()
        self._stopped = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._started = 0.0

    def update(self, detail: str) -> None:
        """Remember how far the step is; the ticker shows it."""
        self._detail = detail

    def __enter__(self) -> Step:
        """Announce the step."""
        say(self.title)
        self._started = time.monotonic()
        self._ticker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say how long it took, unless it was over at once."""
        self._stopped.set()
        self._ticker.join()
        if self._terminal:
            print("\r\033[K", end="", flush=True)
        seconds = time.monotonic() - self._started
        if kind is None and seconds >= 1:
            print(f"    done in {_duration(seconds)}", flush=True)

    def _tick(self) -> None:
        while not self._stopped.wait(0.5 if self._terminal else QUIET_SECONDS):
            text = f"    {_duration(time.monotonic() - self._started)}  {self._detail}".rstrip()
            if self._terminal:
                print(f"\r\033[K{text[:100]}", end="", flush=True)
            else:
                print(text, flush=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
