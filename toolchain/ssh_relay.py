"""An engine on another machine, reached as the Docker CLI reaches it.

For every connection `ssh [options] host docker system dial-stdio` is started and its two ends are
tied to a local socket. That honours the operator's ssh configuration and needs no ssh library.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import urlsplit

_CHUNK = 64 * 1024
_LAST_WORDS_SECONDS = 2.0


def ssh_command(host: str, options: Sequence[str]) -> list[str]:
    """The argv for one connection to an `ssh://[user@]host[:port]` engine."""
    url = urlsplit(host)
    argv = ["ssh", *options]
    if url.username:
        argv += ["-l", url.username]
    if url.port:
        argv += ["-p", str(url.port)]
    # After the options, as the CLI has it: ssh takes the first value of each.
    argv += ["-o", "ConnectTimeout=30", "-T"]
    return [*argv, "--", url.hostname or "", "docker system dial-stdio"]


class SshRelay:
    """A local socket whose every connection ends at the other machine's engine."""

    def __init__(self, host: str, options: Sequence[str] = ()) -> None:
        self._argv = ssh_command(host, options)
        self._folder = tempfile.TemporaryDirectory(prefix="docker-ssh-")
        path = Path(self._folder.name) / "engine.sock"
        self.address = f"unix://{path}"
        self._last_words = b""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> SshRelay:
        """The relay listens from the start."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take no more connections; those that are open end by themselves."""
        # Closing alone would not wake the thread that waits for the next connection.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._folder.cleanup()

    def last_words(self) -> str:
        """What ssh complained about, for the error that follows from it."""
        return self._last_words.decode(errors="replace").strip()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            try:
                process = subprocess.Popen(
                    self._argv,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                )
            except OSError as error:
                self._last_words = str(error).encode()
                connection.close()
                continue
            stdin, stdout, stderr = _pipes(process)
            complaints = _start(self._listen_to_complaints, stderr)
            _start(self._to_engine, connection, stdin)
            _start(self._from_engine, stdout, connection, process, complaints)

    def _to_engine(self, connection: socket.socket, pipe: IO[bytes]) -> None:
        with suppress(OSError), pipe:
            while chunk := connection.recv(_CHUNK):
                pipe.write(chunk)

    def _from_engine(
        self,
        pipe: IO[bytes],
        connection: socket.socket,
        process: subprocess.Popen[bytes],
        complaints: threading.Thread,
    ) -> None:
        with connection, pipe:
            with suppress(OSError):
                while chunk := pipe.read(_CHUNK):
                    connection.sendall(chunk)
            # Whoever finds the connection ended asks why: let ssh finish its sentence first.
            complaints.join(_LAST_WORDS_SECONDS)
            # Closing alone ends nothing while the other thread still waits for data from it.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        process.terminate()
        process.wait()

    def _listen_to_complaints(self, pipe: IO[bytes]) -> None:
        with pipe:
            self._last_words = pipe.read() or self._last_words


def _start(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        msg = "ssh was started without pipes"
        raise ValueError(msg)
    return process.stdin, process.stdout, process.stderr
