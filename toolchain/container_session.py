"""A command in a container, at this terminal or in this pipe, as `docker exec` has it.

With the engine's API alone: the machine with Pulumi need not have the Docker CLI.
"""

from __future__ import annotations

import http.client
import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO, cast

from runtime.progress.progress import clean
from toolchain.engine_api import NoAnswerError, get_json, open_connection, post_json, reached, send
from toolchain.errors import ToolchainError

CHUNK = 64 * 1024
HEADER_BYTES = 8
STANDARD_OUTPUT = 1
START_SECONDS = 60.0


def run_in_container(host: str, container: str, command: Sequence[str]) -> int:
    """Run a command that talks to the operator; its exit status.

    At a terminal every key is the command's to understand, Ctrl-C and Ctrl-D too. In a pipe it
    gets what standard input holds, to its end.
    """
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    given = b"" if is_terminal else sys.stdin.buffer.read()
    if not is_terminal:
        # An end that every way to an engine can tell: TLS cannot close one direction alone.
        count = str(len(given))
        command = ["sh", "-c", 'count=$1; shift; head -c "$count" | "$@"', "sh", count, *command]
    request = {
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": is_terminal,
        "Cmd": list(command),
        "Env": [f"TERM={os.environ.get('TERM', 'xterm')}"],
    }
    complaints = ""
    try:
        with reached(host) as address:
            session = str(post_json(address, f"/containers/{container}/exec", request)["Id"])
            with _started(address, session, is_terminal=is_terminal) as connection:
                if is_terminal:
                    _converse(connection, address, session)
                else:
                    connection.send(given)
                    complaints = _write_out(connection)
            status = int(get_json(address, f"/exec/{session}/json", START_SECONDS)["ExitCode"] or 0)
    except NoAnswerError as error:
        msg = f"the engine at {host} runs nothing in {container}: {error}"
        raise ToolchainError(msg) from error
    if status and complaints:
        print(complaints, file=sys.stderr)
    return status


class _Connection:
    """Both directions of a command that has been started."""

    def __init__(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        self._socket = connection.sock
        self._socket.settimeout(None)
        # What came together with the answer's head is in this buffer, and nowhere else.
        self.output = cast("BinaryIO", response.fp)

    def send(self, content: bytes) -> None:
        """Send to the command's standard input."""
        self._socket.sendall(content)


@contextmanager
def _started(address: str, session: str, *, is_terminal: bool) -> Iterator[_Connection]:
    connection = open_connection(address, START_SECONDS)
    try:
        body = {"Detach": False, "Tty": is_terminal}
        path = f"/exec/{session}/start"
        response = send(connection, path, body, Connection="Upgrade", Upgrade="tcp")
        if response.status != http.client.SWITCHING_PROTOCOLS:
            raise NoAnswerError(response.read().decode(errors="replace").strip())
        yield _Connection(connection, response)
    finally:
        connection.close()


def _converse(connection: _Connection, address: str, session: str) -> None:
    """Hand keys over as they are pressed, and the screen as it is drawn, to the command's end."""
    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()

    def hand_over() -> None:
        with suppress(OSError):
            while keys := os.read(keyboard, CHUNK):
                connection.send(keys)

    def resize(*_: object) -> None:
        columns, lines = os.get_terminal_size(screen)
        with suppress(NoAnswerError):
            post_json(address, f"/exec/{session}/resize?h={lines}&w={columns}")

    as_before = termios.tcgetattr(keyboard)
    previous = signal.signal(signal.SIGWINCH, resize)
    try:
        tty.setraw(keyboard)
        resize()
        threading.Thread(target=hand_over, daemon=True).start()
        while drawn := _read_some(connection.output):
            os.write(screen, drawn)
    finally:
        signal.signal(signal.SIGWINCH, previous)
        termios.tcsetattr(keyboard, termios.TCSADRAIN, as_before)


def _write_out(connection: _Connection) -> str:
    """Write what a command without a terminal says, as it says it; what it complained about.

    Of its standard error most is drawn for a terminal.
    """
    errors = b""
    while header := connection.output.read(HEADER_BYTES):
        piece = connection.output.read(int.from_bytes(header[HEADER_BYTES // 2 :], "big"))
        if header[0] == STANDARD_OUTPUT:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        else:
            errors += piece
    return clean(errors.decode(errors="replace")).strip()


def _read_some(output: BinaryIO) -> bytes:
    return cast("bytes", output.read1(CHUNK))  # type: ignore[attr-defined]
