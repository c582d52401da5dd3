"""The way to an engine over TCP, which a test can cut, block and mend."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator


class LossyProxy:
    """Hands connections on to an engine's socket, as long as it is told to.

    What was lost stays lost: a connection that was blocked is never heard of again.
    """

    def __init__(self, engine_socket: str, tls: ssl.SSLContext | None = None) -> None:
        self._engine_socket, self._tls = engine_socket, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self._blocked = threading.Event()
        self._connections: list[_Connection] = []
        self._serve()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self._port}"

    def cut(self) -> None:
        """End every connection; new ones are welcome."""
        lost, self._connections = self._connections, []
        for connection in lost:
            connection.end()

    def go_away(self) -> None:
        """End every connection and refuse new ones."""
        # Closing alone does not wake the thread that accepts.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._server.join()
        self._listener.close()
        self.cut()

    def come_back(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._serve()

    def block(self) -> None:
        """From now on every byte is swallowed, and no connection ended."""
        for connection in self._connections:
            connection.blocked.set()
        self._blocked.set()

    def unblock(self) -> None:
        """New connections come through again."""
        self._blocked.clear()

    def _serve(self) -> None:
        self._server = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._server.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._take(listener.accept()[0])

    def _take(self, client: socket.socket) -> None:
        if self._tls is not None:
            try:
                client = self._tls.wrap_socket(client, server_side=True)
            except OSError:
                client.close()
                return
        self._connections.append(
            _Connection(client, self._engine_socket, blocked=self._blocked.is_set())
        )


class _Connection:
    def __init__(self, client: socket.socket, engine_socket: str, *, blocked: bool) -> None:
        self.blocked = threading.Event()
        if blocked:
            self.blocked.set()
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(engine_socket)
        self._ends = (client, engine)
        self._threads = [
            threading.Thread(target=self._hand_on, args=ends, daemon=True)
            for ends in ((client, engine), (engine, client))
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if not self.blocked.is_set():
                    target.sendall(piece)
            if not self.blocked.is_set():
                target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def lossy_proxy(engine_socket: str, tls: ssl.SSLContext | None = None) -> Iterator[LossyProxy]:
    proxy = LossyProxy(engine_socket, tls)
    try:
        yield proxy
    finally:
        proxy.go_away()
