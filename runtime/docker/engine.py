"""One Docker engine through the docker SDK, with errors that an operator can read."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from docker import APIClient
from docker.errors import APIError, DockerException
from docker.utils import kwargs_from_env

from runtime.docker.connection import CONNECT_SECONDS, SshRelay, engine_address, is_local
from runtime.failure import EngineError, EngineUnreachableError, MissingError

PATIENCE_SECONDS = 300
"""For an ordinary call: an engine that loads its disks may take minutes to create a container."""

PARALLEL = 8
SCHEMES = ("unix", "tcp", "http", "https", "ssh")


T = TypeVar("T")


class Engine:
    """One engine. Safe to use from several threads."""

    def __init__(self, configured: str | None = None) -> None:
        self.address = engine_address(configured)
        self._connecting = threading.Lock()
        self._client: APIClient | None = None
        self._relay: SshRelay | None = None

    def close(self) -> None:
        """Let go of the connections that are kept."""
        if self._client is not None:
            self._client.close()
        if self._relay is not None:
            self._relay.close()

    @property
    def is_local(self) -> bool:
        """Whether the engine runs on this host."""
        return is_local(self.address)

    @contextmanager
    def calls(self) -> Iterator[APIClient]:
        """The SDK's client, for calls whose failures become a `StepError`.

        Raises `MissingError` for what the engine does not know, `EngineError` for every other
        refusal and `EngineUnreachableError` when it does not answer.
        """
        with self._connecting:
            client = self._client = self._client or self._connect()
        try:
            yield client
        except requests.HTTPError as error:
            raise _refusal(error) from error
        except requests.Timeout as error:
            raise EngineUnreachableError(
                f"the engine at {self.address} has not answered for {PATIENCE_SECONDS} s",
                "Look at its log (journalctl -u docker), then run again",
            ) from error
        except (requests.RequestException, DockerException, ConnectionError) as error:
            raise EngineUnreachableError(
                f"the Docker engine at {self.address} does not answer any more "
                f"({_first_cause(error)})",
                "Containers that run there go on; the next `pulumi up` attaches to them",
            ) from error

    def _connect(self) -> APIClient:
        scheme = urlsplit(self.address).scheme
        if scheme not in SCHEMES:
            raise EngineUnreachableError(
                f"{self.address!r} is no address of a Docker engine",
                "Use unix://PATH, tcp://HOST:PORT or ssh://USER@HOST",
            )
        address = self.address
        if scheme == "ssh":
            self._relay = self._relay or SshRelay(address)
            address = self._relay.address
        # Certificates are for TCP alone, whatever else the operator's shell has set.
        environment = os.environ if scheme in ("tcp", "https") else {}
        settings = kwargs_from_env({**environment, "DOCKER_HOST": address})
        try:
            client = APIClient(**settings, timeout=CONNECT_SECONDS)
        except (requests.RequestException, DockerException) as error:
            raise EngineUnreachableError(
                f"no Docker engine answers at {self.address} ({_first_cause(error)})",
                "Start it (`systemctl start docker`), or set host.engine or DOCKER_HOST to "
                "where one runs",
            ) from error
        client.timeout = PATIENCE_SECONDS
        return client


def in_parallel(questions: Sequence[Callable[[], T]]) -> list[T]:
    """The answers of several calls, in the order of the questions."""
    if not questions:
        return []
    with ThreadPoolExecutor(max_workers=min(PARALLEL, len(questions))) as pool:
        return [answer.result() for answer in [pool.submit(ask) for ask in questions]]


def _refusal(error: requests.HTTPError) -> EngineError:
    """What the engine was asked, and its own words."""
    response = error.response
    request = f"{response.request.method} {urlsplit(response.url).path}"
    words = error.explanation if isinstance(error, APIError) else response.reason
    kind = MissingError if response.status_code == HTTPStatus.NOT_FOUND else EngineError
    return kind(response.status_code, request, str(words))


def _first_cause(error: BaseException) -> str:
    """What happened below the layers of the HTTP library."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__
