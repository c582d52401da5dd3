"""The connection to the Docker engine.

Which engine, as the official plugin chooses it (`provider/image.go`, `configureDockerClient`):
`docker:host`, else `DOCKER_HOST`, else the system's socket, else a socket of the user's own.
Unlike the official one it is not pinged while the provider is configured: a preview of new
resources and a run without changes need no engine.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolchain.offline.plugins.docker_plugin.ssh_relay import SshRelay
from toolchain.offline.plugins.errors import PluginError

if TYPE_CHECKING:
    # The SDK takes half a second to import: only an operation that needs the engine pays for it.
    from docker import APIClient

_SYSTEM_SOCKET: Final = "unix:///var/run/docker.sock"
# A build step or a pull may be silent for many minutes. (The SDK takes no time-out for an answer,
# but its type stubs want a number.)
_NO_TIMEOUT: Final[Any] = None
_USER_SOCKETS: Final = (".docker/run/docker.sock", ".docker/desktop/docker.sock")


@dataclass(frozen=True)
class EngineSettings:
    """Which engine, and how to reach it."""

    host: str | None = None
    ssh_options: tuple[str, ...] = ()
    is_known: bool = True


class Engine:
    """One engine; its client is made at the first use and shared by all operations."""

    def __init__(self) -> None:
        self.settings = EngineSettings()
        self._lock = threading.Lock()
        self._client: APIClient | None = None
        self._relay: SshRelay | None = None

    @property
    def client(self) -> APIClient:
        """The engine's API; the first use makes sure that the engine answers."""
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> APIClient:
        if not self.settings.is_known:
            msg = "docker:host is not known yet, so no Docker engine can be asked"
            raise PluginError(msg)
        host = self.settings.host or os.environ.get("DOCKER_HOST") or _system_or_user_socket()
        address = host
        if host.startswith("ssh://"):
            self._relay = SshRelay(host, self.settings.ssh_options)
            address = self._relay.address
        from docker import APIClient, errors, tls  # noqa: PLC0415 - see above

        certificates = os.environ.get("DOCKER_CERT_PATH")
        secured = None
        if certificates and host.startswith("tcp://"):
            folder = Path(certificates)
            pair = (str(folder / "cert.pem"), str(folder / "key.pem"))
            secured = tls.TLSConfig(client_cert=pair, ca_cert=str(folder / "ca.pem"), verify=True)
        try:
            return APIClient(
                base_url=address, version="auto", timeout=_NO_TIMEOUT, tls=secured or False
            )
        except (errors.DockerException, ValueError) as error:
            detail = (self._relay.last_words() if self._relay else "") or str(error)
            msg = (
                f"the Docker engine at {host} does not answer: {detail}. "
                "Start it, or set docker:host or DOCKER_HOST to one that runs"
            )
            raise PluginError(msg) from error


def _system_or_user_socket() -> str:
    if not Path(_SYSTEM_SOCKET.removeprefix("unix://")).exists():
        for socket in _USER_SOCKETS:
            candidate = Path.home() / socket
            if candidate.exists():
                return f"unix://{candidate}"
    return _SYSTEM_SOCKET


@contextmanager
def explained(action: str) -> Iterator[None]:
    """Turn what the engine or the connection complains about into an operator's error."""
    from docker import errors  # noqa: PLC0415 - slow to import, see above
    from requests import exceptions  # noqa: PLC0415

    try:
        yield
    except errors.APIError as error:
        msg = f"{action}: {error.explanation or error}"
        raise PluginError(msg) from error
    except (errors.DockerException, exceptions.RequestException, OSError) as error:
        msg = f"{action}: {error}"
        raise PluginError(msg) from error


def is_not_found(error: PluginError) -> bool:
    """Tell whether the engine said that there is no such thing."""
    from docker import errors  # noqa: PLC0415 - slow to import, see above

    return isinstance(error.__cause__, errors.NotFound)
