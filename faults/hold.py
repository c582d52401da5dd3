"""Holds the program that names a step's artefact: as it begins, or as it ends.

Usage: hold.py begin|end

Runs beside the step, in the processes of its container, with the capability to trace them. Says
`held` once `mv` has got that far, and holds it there until this program itself ends. Nothing else
is held up: what the step's shell starts before goes on untraced.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

SEIZE, RESUME, DETACH = 0x4206, 7, 17
FORK, VFORK, EXEC, EXIT = 1, 2, 4, 6
"""Events, as linux/ptrace.h has them; of each the option is the bit of that number."""

ALL_KINDS = 0x40000000
"""Wait for any child or tracee, of whatever kind."""

PATIENCE_SECONDS = 30

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def trace(request: int, process: int, data: int = 0) -> None:
    """Raises `OSError` where the kernel refuses, and for a process that is gone."""
    if libc.ptrace(request, process, None, data) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def shell() -> int:
    """The step's shell: the first child of the container's init process."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        children = Path("/proc/1/task/1/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.01)
    sys.exit("the container has no shell")


def is_naming(process: int) -> bool:
    """Whether a process is the one that gives the artefact its name."""
    return Path(f"/proc/{process}/comm").read_text().strip() == "mv"


def wait_for(process: int, event: int) -> None:
    """Return as soon as `mv`, started by the process, stands at the event."""
    trace(SEIZE, process, 1 << FORK | 1 << VFORK | 1 << EXEC | 1 << EXIT)
    while True:
        found, status = os.waitpid(-1, ALL_KINDS)
        if not os.WIFSTOPPED(status):
            if found == process:
                sys.exit("the step ended without naming an artefact")
            continue
        seen = status >> 16
        if seen == event and is_naming(found):
            return
        if seen == EXEC and found != process and not is_naming(found):
            trace(DETACH, found)
            continue
        # A stop without an event is a signal on its way.
        trace(RESUME, found, 0 if seen else os.WSTOPSIG(status))


def main(event: str) -> None:
    """The command line."""
    wait_for(shell(), {"begin": EXEC, "end": EXIT}[event])
    print("held", flush=True)
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1])
