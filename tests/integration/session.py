"""The processes of one session: what a command has started, in whichever groups."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 20


@dataclass(frozen=True)
class Process:
    """One that runs."""

    id: int
    command: Sequence[str]


def processes_of(session: int) -> list[Process]:
    """Those of a session that have not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat, command = (folder / "stat").read_text(), (folder / "cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The name, in parentheses, may hold anything.
        state, _parent, _group, its_session = stat.rpartition(")")[2].split()[:4]
        if int(its_session) == session and state not in "ZX":
            found.append(Process(int(folder.name), command.rstrip("\0").split("\0")))
    return found


def signal_session(session: int, number: signal.Signals) -> None:
    """Send a signal to each process of a session."""
    for process in processes_of(session):
        try:
            os.kill(process.id, number)
        except ProcessLookupError:
            continue


def kill_session(session: int) -> None:
    """End each process of a session, those too that are started meanwhile."""
    deadline = time.monotonic() + SECONDS
    while processes_of(session):
        assert time.monotonic() < deadline, processes_of(session)
        signal_session(session, signal.SIGKILL)
        time.sleep(0.02)
