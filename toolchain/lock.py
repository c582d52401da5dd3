"""One setup at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolchain.progress import say


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; a second run waits and then finds the work done.

    The kernel drops the lock with its holder, so a killed setup never blocks the next one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another setup that is using {folder}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
