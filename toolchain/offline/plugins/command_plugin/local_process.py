"""Runs one command the way pulumi-command does (`local/commandOutputs.go`).

Its output is kept and, by `logging`, shown line by line while it runs. Interrupting Pulumi kills
the command itself and not what it started in the background: what a command has handed to the
Docker engine goes on.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

from toolchain.offline.plugins.errors import CancelledError, PluginError
from toolchain.offline.plugins.provider import Operation

_INTERPRETER: Final = ("/bin/sh", "-c")
_POLL_SECONDS: Final = 0.05
# A background child can hold the pipes open after the command was killed: do not wait for it.
_PIPE_GRACE_SECONDS: Final = 2.0
_LOGGED: Final[Mapping[str, frozenset[str]]] = {
    "stdout": frozenset({"stdout"}),
    "stderr": frozenset({"stderr"}),
    "none": frozenset(),
}
_BOTH: Final = frozenset({"stdout", "stderr"})


@dataclass(frozen=True)
class CommandResult:
    """What a command wrote, each stream less its last line break."""

    stdout: str
    stderr: str


def run_command(
    operation: Operation,
    command: str,
    inputs: Mapping[str, Any],
    previous: CommandResult | None,
) -> CommandResult:
    """Run a command to its end; one that fails is an error with all of its output."""
    try:
        process = subprocess.Popen(
            [*_INTERPRETER, command],
            env=_environment(inputs, previous),
            stdin=subprocess.PIPE if inputs.get("stdin") else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        msg = f"running {json.dumps(command)}: {error}"
        raise PluginError(msg) from error
    return _Running(operation, process, command, inputs).finish()


def _environment(inputs: Mapping[str, Any], previous: CommandResult | None) -> dict[str, str]:
    environment = {**os.environ, **(inputs.get("environment") or {})}
    if previous is not None and inputs.get("addPreviousOutputInEnv", True):
        if previous.stdout:
            environment["PULUMI_COMMAND_STDOUT"] = previous.stdout
        if previous.stderr:
            environment["PULUMI_COMMAND_STDERR"] = previous.stderr
    return environment


class _Running:
    """A started command and the threads that carry its streams."""

    def __init__(
        self,
        operation: Operation,
        process: subprocess.Popen[bytes],
        command: str,
        inputs: Mapping[str, Any],
    ) -> None:
        self._operation = operation
        self._process = process
        self._command = command
        self._logged = _LOGGED.get(inputs.get("logging") or "", _BOTH)
        self._streams: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        self._both: list[bytes] = []
        self._threads = [
            threading.Thread(target=self._carry, args=(name, pipe), daemon=True)
            for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr))
        ]
        if process.stdin is not None:
            feed = threading.Thread(
                target=self._feed, args=(process.stdin, str(inputs["stdin"])), daemon=True
            )
            self._threads.append(feed)
        for thread in self._threads:
            thread.start()

    def finish(self) -> CommandResult:
        cancelled = self._wait()
        for thread in self._threads:
            thread.join(_PIPE_GRACE_SECONDS if cancelled else None)
        status = self._process.returncode
        if cancelled or status != 0:
            failure = CancelledError if cancelled else PluginError
            quoted = json.dumps(self._command, ensure_ascii=False)
            raise failure(f"{_describe(status)}: running {quoted}:\n{_text(self._both)}")
        return CommandResult(
            _text(self._streams["stdout"]).removesuffix("\n"),
            _text(self._streams["stderr"]).removesuffix("\n"),
        )

    def _wait(self) -> bool:
        """Wait for the end; kill the command when the operation is over first."""
        ended = threading.Event()

        def wait() -> None:
            self._process.wait()
            ended.set()

        # Not `wait(timeout)`: it looks again and again, and notices the end late.
        threading.Thread(target=wait, daemon=True).start()
        while not ended.wait(_POLL_SECONDS):
            try:
                self._operation.check_cancelled()
            except CancelledError:
                self._process.kill()
                ended.wait()
                return True
        return False

    def _carry(self, name: str, pipe: IO[bytes]) -> None:
        for line in pipe:
            self._streams[name].append(line)
            self._both.append(line)
            if name in self._logged:
                self._operation.log.status(line.decode(errors="replace").rstrip("\r\n"))

    def _feed(self, pipe: IO[bytes], text: str) -> None:
        # A command need not read what it is given.
        try:
            with pipe:
                pipe.write(text.encode())
        except BrokenPipeError:
            return


def _describe(status: int) -> str:
    if status < 0:
        return "signal: " + (signal.strsignal(-status) or str(-status)).lower()
    return f"exit status {status}"


def _text(chunks: list[bytes]) -> str:
    return b"".join(chunks).decode(errors="replace")
