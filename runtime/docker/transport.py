"""How requests travel to an engine: over TCP, or over whatever a socket leads to."""

import socket
from collections.abc import Callable, Mapping
from typing import Any

import requests
from docker.tls import TLSConfig
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

POOL_SIZE = 10

KEEP_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Seconds and times, by the socket option's name: how soon a host that is gone is missed."""

Connect = Callable[[], socket.socket]
"""Opens one connection to the engine."""


def connect_unix(path: str) -> socket.socket:
    """A connection to the socket at a path."""
    made = socket.socket(socket.AF_UNIX)
    try:
        made.connect(path)
    except OSError:
        made.close()
        raise
    return made


class SocketAdapter(HTTPAdapter):
    """Requests over connections that `connect` opens."""

    def __init__(self, connect: Connect) -> None:
        self._pool = _Pool(connect)
        super().__init__()

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        """The one pool, whatever the request."""
        return self._pool

    def request_url(
        self, request: requests.PreparedRequest, proxies: Mapping[str, str] | None
    ) -> str:
        """The path alone: no proxy stands between."""
        return request.path_url

    def close(self) -> None:
        """Let go of the connections that are kept."""
        super().close()
        self._pool.close()


class TcpAdapter(HTTPAdapter):
    """Connections that notice when the other host is gone, however long they are silent."""

    def __init__(self, tls: TLSConfig | None) -> None:
        self._tls = tls
        super().__init__(pool_maxsize=POOL_SIZE)

    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        """With the options of every socket."""
        options = [
            *HTTPConnection.default_socket_options,
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            # Not every system knows all of them.
            *(
                (socket.IPPROTO_TCP, getattr(socket, name), value)
                for name, value in KEEP_ALIVE.items()
                if hasattr(socket, name)
            ),
        ]
        super().init_poolmanager(*arguments, socket_options=options, **settings)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Check the engine's certificate by its own authority."""
        if self._tls is not None:
            # Else REQUESTS_CA_BUNDLE, which is meant for the web, would take its place.
            verify = (self._tls.ca_cert or True) if self._tls.verify else False
        return super().send(request, stream, timeout, verify, cert, proxies)


class _Pool(HTTPConnectionPool):
    def __init__(self, connect: Connect) -> None:
        super().__init__("localhost", maxsize=POOL_SIZE)
        self._connect = connect

    def _new_conn(self) -> HTTPConnection:
        return _Connection(self._connect)


class _Connection(HTTPConnection):
    def __init__(self, connect: Connect) -> None:
        super().__init__("localhost")
        self._open = connect

    def connect(self) -> None:
        self.sock = self._open()
        self.sock.settimeout(self.timeout)
