"""The one place that starts programs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from toolchain.errors import CommandError, ToolchainError

TAIL_LINES = 15


def run(
    argv: Sequence[object],
    *,
    title: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    watch: Callable[[str], None] | None = None,
) -> str:
    """Run a program to its end and return what it wrote to stdout.

    Every line, of stdout and stderr, goes to `watch` as it comes; the last lines go into the error.
    """
    command = [str(part) for part in argv]
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    output: list[str] = []

    def read(stream: IO[str], kept: list[str] | None) -> None:
        for line in stream:
            tail.append(line.rstrip())
            if kept is not None:
                kept.append(line)
            if watch is not None:
                watch(line.rstrip())

    try:
        process = subprocess.Popen(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        msg = f"{command[0]} is not installed or not on PATH; it is needed to: {title or command}"
        raise ToolchainError(msg) from error
    with process:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018
        errors = threading.Thread(target=read, args=(process.stderr, None), daemon=True)
        errors.start()
        read(process.stdout, output)
        errors.join()
    if process.returncode:
        raise CommandError(title or " ".join(command), process.returncode, list(tail))
    return "".join(output)


def follow(
    argv: Sequence[object],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
) -> int:
    """Run a program that talks to the operator itself and return its exit status.

    `stdin` is what it reads, in the place of the operator's own words.

    Ctrl-C reaches the program directly (same process group); it decides how to stop, we wait.
    """
    # Not SIG_IGN, which the program would inherit: a handler is back to the default there.
    previous = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        command = [str(part) for part in argv]
        return subprocess.run(
            command, env=env, cwd=cwd, input=stdin, text=True, check=False
        ).returncode
    finally:
        signal.signal(signal.SIGINT, previous)


def as_root(argv: Sequence[object], *, uid: int | None = None) -> list[str]:
    """Return the command as root would run it: as it is, or through sudo."""
    command = [str(part) for part in argv]
    if (os.geteuid() if uid is None else uid) == 0:
        return command
    if shutil.which("sudo") is None:
        msg = (
            f"'{' '.join(command)}' needs root, and there is no sudo here: "
            "run it as root once, then try again"
        )
        raise ToolchainError(msg)
    return ["sudo", *command]
