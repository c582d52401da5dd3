"""Questions to a Docker engine, with the standard library alone.

`make doctor` answers on a host where nothing is installed yet, and a plugin that asked through the
docker SDK would load it for every `pulumi up`.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from toolchain.ssh_relay import SshRelay

DEFAULT_HOST = "unix:///var/run/docker.sock"
SSH_SECONDS = 20.0
"""A first connection through ssh takes its time."""


class NoAnswerError(Exception):
    """An engine did not answer; the message says why."""


@dataclass(frozen=True)
class EngineInfo:
    """What an engine says about itself."""

    version: str
    data_root: Path
    runtimes: tuple[str, ...]
    name: str
    containers_running: int
    cpu_cores: int = 0
    memory_bytes: int = 0


def ask_engine(host: str, timeout: float = 5.0) -> EngineInfo | None:
    """Return what the engine says, or nothing where none answers."""
    try:
        return read_info(host, timeout)
    except NoAnswerError:
        return None


def read_info(host: str, timeout: float = 5.0) -> EngineInfo:
    """Return what the engine at unix://, tcp:// or ssh:// says; raises `NoAnswerError`."""
    info = get_json(host, "/info", timeout)
    return EngineInfo(
        version=str(info.get("ServerVersion", "")),
        data_root=Path(str(info.get("DockerRootDir", "/var/lib/docker"))),
        runtimes=tuple(sorted(info.get("Runtimes") or {})),
        name=str(info.get("OperatingSystem", "")),
        containers_running=int(info.get("ContainersRunning", 0)),
        cpu_cores=int(info.get("NCPU", 0)),
        memory_bytes=int(info.get("MemTotal", 0)),
    )


def get_json(host: str, path: str, timeout: float = 5.0) -> dict[str, Any]:
    """Read one JSON answer of the engine's API; raises `NoAnswerError`."""
    try:
        answer: dict[str, Any] = json.loads(get(host, path, timeout))
    except ValueError as error:
        raise NoAnswerError(f"{path} was not answered with JSON: {error}") from error
    return answer


@contextmanager
def reached(host: str) -> Iterator[str]:
    """Give an address for several calls: an engine behind ssh is reached once for all of them."""
    if not host.startswith("ssh://"):
        yield host
        return
    with SshRelay(host) as relay:
        yield relay.address


def post_json(address: str, path: str, body: object = None) -> dict[str, Any]:
    """Send JSON and read what the engine answers with; raises `NoAnswerError` with its words."""
    connection = open_connection(address, SSH_SECONDS)
    try:
        response = send(connection, path, body)
        content = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(str(error) or type(error).__name__) from error
    finally:
        connection.close()
    answer = json.loads(content or b"{}")
    if response.status >= http.client.BAD_REQUEST:
        raise NoAnswerError(str(answer.get("message", response.reason)))
    return dict(answer)


def send(
    connection: http.client.HTTPConnection, path: str, body: object, **headers: str
) -> http.client.HTTPResponse:
    """Send JSON; what is answered is the caller's to read."""
    told = {"Host": "docker", "Content-Type": "application/json", **headers}
    connection.request("POST", path, body=json.dumps(body), headers=told)
    return connection.getresponse()


def get(host: str, path: str, timeout: float = 5.0) -> bytes:
    """Read one answer of the engine's API; raises `NoAnswerError`."""
    if not host.startswith("ssh://"):
        return _get(open_connection(host, timeout), path)
    with SshRelay(host) as relay:
        try:
            return _get(open_connection(relay.address, max(timeout, SSH_SECONDS)), path)
        except NoAnswerError as error:
            raise NoAnswerError(relay.last_words() or str(error)) from error


def _get(connection: http.client.HTTPConnection, path: str) -> bytes:
    try:
        connection.request("GET", path, headers={"Host": "docker"})
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(str(error) or type(error).__name__) from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise NoAnswerError(f"{path} was answered with status {response.status}")
    return content


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def open_connection(
    host: str, timeout: float, environ: Mapping[str, str] = os.environ
) -> http.client.HTTPConnection:
    """Give a connection to the engine at unix:// or tcp://."""
    parts = urlsplit(host)
    if parts.scheme == "unix":
        return _UnixConnection(parts.path, timeout)
    name = parts.hostname or ""
    certificates = environ.get("DOCKER_CERT_PATH")
    if certificates is None and not environ.get("DOCKER_TLS_VERIFY"):
        return http.client.HTTPConnection(name, parts.port or 2375, timeout=timeout)
    folder = Path(certificates or Path.home() / ".docker")
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except OSError as error:
        raise NoAnswerError(f"the certificates in {folder} cannot be read: {error}") from error
    return http.client.HTTPSConnection(name, parts.port or 2376, timeout=timeout, context=context)
