"""One Docker engine through the docker SDK, with errors that an operator can read."""

import shlex
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from docker import APIClient
from docker.errors import APIError, DockerException, TLSParameterError
from docker.tls import TLSConfig
from docker.utils import version_lt
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError

from runtime.docker.connection import LOCAL, Endpoint, engine_endpoint, is_local
from runtime.docker.ssh import SshTunnels, ssh_command
from runtime.docker.transport import SocketAdapter, TcpAdapter, connect_unix
from runtime.failure import EngineError, EngineUnreachableError, MissingError

PATIENCE_SECONDS = 300
"""For an ordinary call: an engine that loads its disks may take minutes to create a container."""

FIRST_ANSWER_SECONDS = 20
"""For the first answer: an engine that is there gives it at once, ssh within its own limit."""

MINIMUM_API = "1.40"
"""Docker 19.03: the first that hands GPUs to containers."""

PARALLEL = 8
SCHEMES = ("unix", "tcp", "http", "https", "ssh")

WORDS = 200
"""Characters told of an answer that is none of an engine's."""

LOST = (requests.RequestException, DockerException, HTTPError, ConnectionError)
"""How the libraries say that there is no answer."""


T = TypeVar("T")


class Engine:
    """One engine. Safe to use from several threads."""

    def __init__(self, configured: str | None = None) -> None:
        self._configured = configured
        self._connecting = threading.Lock()
        self._connection: _Connection | None = None

    def close(self) -> None:
        """Let go of every connection; the next call makes new ones."""
        with self._connecting:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @property
    def address(self) -> str:
        """Where it is; what was to say so, where nothing does."""
        try:
            return self._endpoint.address
        except EngineUnreachableError:
            return self._configured or "the docker client's context"

    @property
    def is_local(self) -> bool:
        """Whether the engine runs on this host."""
        return is_local(self._endpoint.address)

    @contextmanager
    def calls(self, *, patience: float = PATIENCE_SECONDS) -> Iterator[APIClient]:
        """The SDK's client, for calls whose failures become a `StepError`.

        `patience` is how many seconds the engine may be silent. Raises `MissingError` for what the
        engine does not know, `EngineError` for every other refusal and `EngineUnreachableError`
        when it does not answer.
        """
        with self._connecting:
            connection = self._connection = self._connection or _Connection(self._endpoint)
            client = connection.client(patience)
        try:
            yield client
        except requests.HTTPError as error:
            raise _refusal(error) from error
        except LOST as error:
            if _is_timeout(error):
                raise EngineUnreachableError(
                    f"the engine at {self.address} has not answered for {patience:.0f} s",
                    "Look at its log (journalctl -u docker), then run again",
                ) from error
            raise EngineUnreachableError(
                f"the Docker engine at {self.address} does not answer any more "
                f"({connection.cause(error)})",
                "Containers that run there go on; the next `pulumi up` attaches to them",
            ) from error

    @cached_property
    def _endpoint(self) -> Endpoint:
        return engine_endpoint(self._configured)


class _Connection:
    """What is known of an engine that has answered. Its clients share their connections."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._scheme = urlsplit(endpoint.address).scheme
        if self._scheme not in SCHEMES:
            raise EngineUnreachableError(
                f"{endpoint.address!r} is no address of a Docker engine",
                "Use unix://PATH, tcp://HOST:PORT or ssh://USER@HOST",
            )
        self._tunnels = SshTunnels(endpoint.address) if self._scheme == "ssh" else None
        self._tls = _tls(endpoint)
        self._adapter = self._new_adapter()
        self._clients: dict[float, APIClient] = {}
        try:
            self._version = self._ask_version()
        except EngineUnreachableError:
            self.close()
            raise

    def client(self, patience: float) -> APIClient:
        """A client whose calls wait so many seconds."""
        if patience not in self._clients:
            self._clients[patience] = self._new_client(self._version, patience)
        return self._clients[patience]

    def close(self) -> None:
        self._adapter.close()
        if self._tunnels is not None:
            self._tunnels.close()

    def cause(self, error: BaseException) -> str:
        """What happened below the layers of the HTTP library: ssh's own words, where it has any."""
        words = self._tunnels.last_words() if self._tunnels else ""
        return words or str(first := _first_cause(error)) or type(first).__name__

    def _new_adapter(self) -> HTTPAdapter:
        if self._tunnels is not None:
            return SocketAdapter(self._tunnels.open)
        if self._scheme == "unix":
            path = self._endpoint.address.removeprefix("unix://")
            return SocketAdapter(partial(connect_unix, path))
        return TcpAdapter(self._tls)

    def _new_client(self, version: str, patience: float) -> APIClient:
        # The SDK takes ssh for its own; with a socket's address it leaves the way to the adapter.
        client = APIClient(
            base_url=LOCAL if self._scheme == "ssh" else self._endpoint.address,
            version=version,
            timeout=patience,  # type: ignore[arg-type]  # the stubs want whole seconds
            tls=self._tls or False,
        )
        client.mount(client.base_url, self._adapter)
        return client

    def _ask_version(self) -> str:
        address = self._endpoint.address
        try:
            client = self._new_client(MINIMUM_API, FIRST_ANSWER_SECONDS)
            # As the docker client does: for /version the engine starts several processes.
            answer = client.get(f"{client.base_url}/_ping", timeout=client.timeout)
            found = answer.headers.get("Api-Version")
        except LOST as error:
            raise EngineUnreachableError(
                f"no Docker engine answers at {address} ({self.cause(error)})",
                self._way_out(_first_cause(error)),
            ) from error
        if not answer.ok or found is None:
            raise EngineUnreachableError(
                f"what answers at {address} is no Docker engine to speak with "
                f"({answer.status_code}: {_words(answer)})",
                "Correct the address; for an engine with TLS set DOCKER_TLS_VERIFY and "
                "DOCKER_CERT_PATH",
            )
        if version_lt(found, MINIMUM_API):
            raise EngineUnreachableError(
                f"the Docker engine at {address} is too old: its API is {found}",
                f"Update it: API {MINIMUM_API} (Docker 19.03) is the oldest that will do",
            )
        return found

    def _way_out(self, cause: BaseException) -> str:
        if self._scheme == "ssh":
            command = shlex.join(ssh_command(self._endpoint.address, "version"))
            return f"See that this works here: {command}"
        if isinstance(cause, PermissionError):
            return "Ask who runs this host for access to it (the group docker)"
        return (
            "Start it (`systemctl start docker`), or set host.engine or DOCKER_HOST to "
            "where one runs"
        )


def _tls(endpoint: Endpoint) -> TLSConfig | None:
    certificates = endpoint.certificates
    if certificates is None:
        return None
    folder = certificates.folder
    try:
        return TLSConfig(
            client_cert=(str(folder / "cert.pem"), str(folder / "key.pem")),
            ca_cert=str(folder / "ca.pem"),
            verify=certificates.verify,
        )
    except TLSParameterError as error:
        raise EngineUnreachableError(
            f"{folder} lacks certificates for the engine at {endpoint.address}",
            "Put ca.pem, cert.pem and key.pem there, or set DOCKER_CERT_PATH to where they are",
        ) from error


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
    kind = MissingError if response.status_code == HTTPStatus.NOT_FOUND else EngineError
    words = error.explanation if isinstance(error, APIError) else _words(response)
    return kind(response.status_code, request, str(words))


def _words(response: requests.Response) -> str:
    """What an answer says of itself."""
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text.strip()[:WORDS] or response.reason


def _is_timeout(error: BaseException) -> bool:
    # While an answer is streamed, the HTTP library hides a time-out in another kind of error.
    return isinstance(error, requests.Timeout | ReadTimeoutError) or any(
        isinstance(part, ReadTimeoutError) for part in error.args
    )


def _first_cause(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
