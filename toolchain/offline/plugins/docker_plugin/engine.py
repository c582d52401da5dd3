"""The connection to the Docker engine.

Which engine, as the official plugin chooses it (`provider/image.go`, `configureDockerClient`):
`docker:host`, else `DOCKER_HOST`, else the system's socket, else a socket of the user's own. It is
pinged while the provider is configured, but for one behind ssh.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolchain.engine_api import DEFAULT_HOST, NoAnswerError, get
from toolchain.offline.plugins.errors import PluginError
from toolchain.ssh_relay import SshRelay

if TYPE_CHECKING:
    # The SDK takes half a second to import: only an operation that needs the engine pays for it.
    from docker import APIClient

# A build step or a pull may be silent for many minutes. (The SDK takes no time-out for an answer,
# but its type stubs want a number.)
_NO_TIMEOUT: Final[Any] = None
_USER_SOCKETS: Final = (".docker/run/docker.sock", ".docker/desktop/docker.sock")


@dataclass(frozen=True)
class EngineSettings:
    """Which engine, and how to reach it."""

    host: str | None = None
    ssh_options: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The engine's address."""
        return self.host or os.environ.get("DOCKER_HOST") or _system_or_user_socket()


class Engine:
    """One engine; its client is made at the first use and shared by all operations."""

    def __init__(self) -> None:
        self.settings = EngineSettings()
        self._lock = threading.Lock()
        self._client: APIClient | None = None
        self._relay: SshRelay | None = None

    def ping(self) -> None:
        """Make sure that the engine answers. As officially, one behind ssh is not asked yet."""
        host = self.settings.address
        if host.startswith("ssh://"):
            return
        try:
            get(host, "/_ping")
        except NoAnswerError as error:
            raise _silent(host, str(error)) from error

    @property
    def client(self) -> APIClient:
        """The engine's API."""
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> APIClient:
        host = self.settings.address
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
            raise _silent(host, detail) from error


def _silent(host: str, detail: str) -> PluginError:
    return PluginError(
        f"the Docker engine at {host} does not answer: {detail}. "
        "Start it, or set docker:host or DOCKER_HOST to one that runs"
    )


def _system_or_user_socket() -> str:
    if not Path(DEFAULT_HOST.removeprefix("unix://")).exists():
        for socket in _USER_SOCKETS:
            candidate = Path.home() / socket
            if candidate.exists():
                return f"unix://{candidate}"
    return DEFAULT_HOST


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
