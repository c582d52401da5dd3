"""A command at a terminal: what stands on its screen, and the keys that are pressed."""

import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Self

from toolchain.places import REPOSITORY

PATIENCE_SECONDS = 120
CODES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command of ours with a terminal of its own."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.screen, self.keyboard = pty.openpty()
        # Wide enough for an answer in one line.
        termios.tcsetwinsize(self.keyboard, (24, 200))
        self.as_before = termios.tcgetattr(self.keyboard)
        self.process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=env,
            stdin=self.keyboard,
            stdout=self.keyboard,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.shown = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left, however a test has ended."""
        self.process.kill()
        self.process.wait()
        os.close(self.screen)
        os.close(self.keyboard)

    def see(self, text: bytes) -> None:
        """Wait until something stands on the screen that was not there before.

        How it is drawn, in how many pieces and colours, is nothing to it.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        while text not in self.shown:
            assert time.monotonic() < until, self.shown
            if select.select([self.screen], [], [], 0.2)[0]:
                self.shown = CODES.sub(b"", self.shown + os.read(self.screen, 4096))
        self.shown = self.shown.split(text, 1)[1]

    def press(self, keys: bytes) -> None:
        os.write(self.screen, keys)

    def end(self) -> int:
        """The exit status; the terminal is as it was before."""
        status = self.process.wait(PATIENCE_SECONDS)
        assert termios.tcgetattr(self.keyboard) == self.as_before
        return status
