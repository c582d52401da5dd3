"""A command at a terminal: what stands on its screen, and the keys that are pressed."""

import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

from toolchain.places import REPOSITORY

PATIENCE_SECONDS = 120


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

    def see(self, text: bytes) -> None:
        """Wait until something stands on the screen that was not there before."""
        until = time.monotonic() + PATIENCE_SECONDS
        while text not in self.shown:
            assert time.monotonic() < until, self.shown
            if select.select([self.screen], [], [], 0.2)[0]:
                self.shown += os.read(self.screen, 4096)
        self.shown = self.shown.split(text, 1)[1]

    def press(self, keys: bytes) -> None:
        os.write(self.screen, keys)

    def end(self) -> int:
        """The exit status; the terminal is as it was before."""
        status = self.process.wait(PATIENCE_SECONDS)
        assert termios.tcgetattr(self.keyboard) == self.as_before
        os.close(self.screen)
        os.close(self.keyboard)
        return status
