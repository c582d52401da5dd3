"""The way to an engine behind ssh: every connection is an ssh process, as the docker client's are.

The docker SDK's own way needs paramiko, which does not read all of an operator's ssh settings.
"""

import contextlib
import os
import random
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from urllib.parse import urlsplit

from runtime.failure import EngineUnreachableError

CONNECT_SECONDS = 15
ALIVE_SECONDS = 15
ALIVE_COUNT = 4
"""A connection whose other end is silent for so many times so long is lost."""

RECENT_SECONDS = 5.0

TURNED_AWAY = "kex_exchange_identification"
"""What ssh says when the server hangs up before it has looked at the caller. It does so with some
of those who come at the same time (sshd's MaxStartups)."""
RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0)


def ssh_command(address: str, program: str = "system dial-stdio") -> list[str]:
    """The argv for one connection to an `ssh://[user@]host[:port][/socket]` engine.

    Options of the operator's own come from the ssh configuration, and from DOCKER_SSH_OPTS as for
    Pulumi's Docker provider.
    """
    url = urlsplit(address)
    user = ["-l", url.username] if url.username else []
    port = ["-p", str(url.port)] if url.port else []
    options = {
        "ConnectTimeout": CONNECT_SECONDS,
        "ServerAliveInterval": ALIVE_SECONDS,
        "ServerAliveCountMax": ALIVE_COUNT,
        # A question for a password would wait for ever behind `pulumi up`.
        "BatchMode": "yes",
    }
    said = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    own = os.environ.get("DOCKER_SSH_OPTS", "").split()
    socket_path = f"--host unix://{shlex.quote(url.path)} " if url.path.strip("/") else ""
    command = f"docker {socket_path}{program}"
    # What is said first counts.
    return ["ssh", "-T", *own, *said, *user, *port, "--", url.hostname or "", command]


class SshTunnels:
    """Connections to one engine behind ssh. Its processes end with this program."""

    def __init__(self, address: str) -> None:
        if shutil.which("ssh") is None:
            raise EngineUnreachableError(
                f"the engine is at {address}, and there is no ssh client here to reach it",
                "Install one (Debian: openssh-client)",
            )
        self._command = ssh_command(address)
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._last: tuple[float, str] = (0.0, "")
        self._end = weakref.finalize(self, _terminate, self._processes)

    def open(self) -> socket.socket:
        """A connection, at once; what is sent waits for ssh to reach the other host."""
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._serve, args=(theirs,), daemon=True).start()
        return ours

    def close(self) -> None:
        """End every connection."""
        self._end()

    def last_words(self) -> str:
        """What ssh said a moment ago when a connection ended badly; empty when none did."""
        moment, words = self._last
        return words if time.monotonic() - moment < RECENT_SECONDS else ""

    def _serve(self, theirs: socket.socket) -> None:
        # Whoever holds the other end sees this one close only when ssh's words are known.
        with theirs:
            for pause in (*RETRY_SECONDS, None):
                words = self._run(theirs)
                if pause is None or TURNED_AWAY not in words or not self._end.alive:
                    break
                # Nothing was read from the connection yet: another process can take it over.
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            if words:
                self._last = (time.monotonic(), words)

    def _run(self, theirs: socket.socket) -> str:
        """One ssh process from its start to its end; what it complained about if it ended badly."""
        # A file and no pipe: a shared connection that ssh leaves in the background keeps it open.
        with tempfile.TemporaryFile() as complaints:
            process = subprocess.Popen(
                self._command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=complaints,
                # A session of its own: Ctrl-C must not take the connection away before the last
                # message.
                start_new_session=True,
            )
            self._processes.add(process)
            if not self._end.alive:
                process.terminate()
            code = process.wait()
            self._processes.discard(process)
            complaints.seek(0)
            words = complaints.read().decode(errors="replace").strip()
        return (words or f"ssh ended with exit code {code}") if code else ""


def _terminate(processes: set[subprocess.Popen[bytes]]) -> None:
    for process in list(processes):
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
