"""Holds a command that runs in a container, as soon as it is there.

Usage: hold_command.py PATTERN

Runs beside it, in the processes of its container. Says `held` once a process whose command line
begins as the pattern says is stopped; SIGTERM lets it go on.
"""

import os
import re
import signal
import sys
import time
from pathlib import Path

LOOK_SECONDS = 0.001


def find(pattern: re.Pattern[str]) -> int | None:
    """The process, if there is one."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text(errors="replace").split("\0")
        except OSError:
            continue
        if int(folder.name) != os.getpid() and pattern.match(" ".join(words)):
            return int(folder.name)
    return None


def main(pattern: str) -> None:
    """The command line."""
    # This program is a process of that container as well.
    while (found := find(re.compile(pattern))) is None:
        time.sleep(LOOK_SECONDS)
    os.kill(found, signal.SIGSTOP)

    def let_go(_number: int, _frame: object) -> None:
        os.kill(found, signal.SIGCONT)
        sys.exit()

    signal.signal(signal.SIGTERM, let_go)
    print("held", flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1])
