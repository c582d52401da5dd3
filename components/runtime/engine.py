"""A small client of the Docker engine's HTTP API.

It serves the handful of calls that the steps need. The docker package would do, but importing it
takes half a second, which every step of every `pulumi up` would pay.
"""

import http.client
import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

from components.runtime.connection import engine_address, is_local, nobody_there, open_socket
from components.runtime.failure import (
    EngineError,
    EngineUnreachableError,
    MissingError,
)

PATIENCE_SECONDS = 300
"""For an ordinary call: an engine that loads its disks may take minutes to create a container."""

Query = Mapping[str, str | int | bool | Mapping[str, Any]]


class _Connection(http.client.HTTPConnection):
    def __init__(self, address: str) -> None:
        super().__init__("docker")
        self.address = address

    def connect(self) -> None:
        self.sock = open_socket(self.address)


class Engine:
    """One engine. Safe to use from several threads: every call has a connection to itself."""

    def __init__(self, configured: str | None = None) -> None:
        self.address = engine_address(configured)
        # Connections are kept: over ssh, making one takes longer than most calls.
        self._idle: list[_Connection] = []
        self._has_answered = False

    def close(self) -> None:
        """Let go of the connections that are kept."""
        while self._idle:
            self._idle.pop().close()

    @property
    def is_local(self) -> bool:
        """Whether the engine runs on this host."""
        return is_local(self.address)

    def get(self, path: str, query: Query | None = None) -> Any:
        """The JSON that the engine answers."""
        return self._json("GET", path, query)

    def post(self, path: str, query: Query | None = None, body: Any = None) -> Any:
        """Send JSON; the JSON that the engine answers, or None."""
        return self._json("POST", path, query, body)

    def delete(self, path: str, query: Query | None = None) -> None:
        """Remove something."""
        self._json("DELETE", path, query)

    def _json(self, method: str, path: str, query: Query | None, body: Any = None) -> Any:
        with self.open(method, path, query, body=body) as response:
            content = response.read()
        return json.loads(content) if content.strip() else None

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: Any = None,
        content: Iterable[bytes] | None = None,
        patience: float | None = PATIENCE_SECONDS,
    ) -> Iterator[http.client.HTTPResponse]:
        """The response itself, for streams. `content` is a tar archive, sent while it is made."""
        target = quote(path) + (f"?{urlencode(_encode(query))}" if query else "")
        request = f"{method} {path}"
        connection, response = self._send(method, target, request, body, content, patience)
        self._has_answered = True
        try:
            if response.status >= http.client.BAD_REQUEST:
                raise _refusal(response, request)
            yield response
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._lost(error) from error
        finally:
            if response.isclosed() and not response.will_close:
                self._idle.append(connection)
            else:
                connection.close()

    def _send(
        self,
        method: str,
        target: str,
        request: str,
        body: Any,
        content: Iterable[bytes] | None,
        patience: float | None,
    ) -> tuple[_Connection, http.client.HTTPResponse]:
        # Only a request that can be sent twice may go out on a connection that may have died.
        if content is None and self._idle:
            kept = self._idle.pop()
            try:
                return kept, _exchange(kept, method, target, body, None, patience)
            except (OSError, http.client.HTTPException):
                kept.close()
        fresh = _Connection(self.address)
        try:
            return fresh, _exchange(fresh, method, target, body, content, patience)
        except TimeoutError as error:
            fresh.close()
            raise EngineUnreachableError(
                f"the engine at {self.address} has not answered {request} for {patience:.0f} s",
                "Look at its log (journalctl -u docker), then run again",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            fresh.close()
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> EngineUnreachableError:
        if not self._has_answered:
            return nobody_there(self.address, error)
        return EngineUnreachableError(
            f"the Docker engine at {self.address} does not answer any more "
            f"({str(error) or type(error).__name__})",
            "Containers that run there go on; the next `pulumi up` attaches to them",
        )


def _exchange(
    connection: _Connection,
    method: str,
    target: str,
    body: Any,
    content: Iterable[bytes] | None,
    patience: float | None,
) -> http.client.HTTPResponse:
    if connection.sock is None:
        connection.connect()
    connection.sock.settimeout(patience)
    if content is None:
        encoded = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if encoded else {}
        connection.request(method, target, encoded, headers)
    else:
        _upload(connection, method, target, content)
    return connection.getresponse()


def _upload(connection: _Connection, method: str, target: str, content: Iterable[bytes]) -> None:
    headers = {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"}
    try:
        connection.request(method, target, content, headers, encode_chunked=True)
    except (BrokenPipeError, ConnectionResetError):
        # The engine refused before it had read everything; its answer says why.
        if not isinstance(connection.sock, socket.socket):
            raise


def _encode(query: Query) -> dict[str, str]:
    return {
        key: json.dumps(value) if isinstance(value, Mapping | bool) else str(value)
        for key, value in query.items()
    }


def _refusal(response: http.client.HTTPResponse, request: str) -> EngineError:
    content = response.read()
    try:
        message = str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        message = content.decode(errors="replace").strip() or response.reason
    kind = MissingError if response.status == http.client.NOT_FOUND else EngineError
    return kind(response.status, request, message)
