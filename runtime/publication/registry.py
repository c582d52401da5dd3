"""A registry of the OCI distribution protocol, as far as a push needs it.

No client library: those for Python read a layer into memory whole, and Ollama's own push gives a
registry no password.
"""

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import IO, Any, Protocol
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from plan.publication import Registry
from runtime.failure import StepError
from runtime.program import say

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
"""What Ollama writes, and the only one that it asks a registry for."""

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 300.0
"""A registry may take so long to check the digest of a large layer."""

PAUSES = (2.0, 10.0, 30.0)
"""Seconds before a layer is sent once more."""

BUSY = frozenset({429, 500, 502, 503, 504})
WORDS = 300
"""Characters told of what a registry says."""

CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Source(Protocol):
    """A layer, wherever it lies; opened anew for each try."""

    def __call__(self) -> AbstractContextManager[IO[bytes]]:
        """Its bytes, from the first on."""


class Busy(Exception):
    """The registry may take it at another try."""


class RegistryClient:
    """Pushes to one repository of a registry. Everything that it refuses is a `StepError`."""

    def __init__(
        self, registry: Registry, repository: str, *, password: str | None, title: str
    ) -> None:
        self._registry, self._repository, self._title = registry, repository, title
        self._session = requests.Session()
        # It stands in the way of a .netrc, too: that is its owner's, and not the stack's.
        self._session.auth = _Login(registry, password)
        self._timeout = (CONNECT_SECONDS, SILENCE_SECONDS)

    def digest_of(self, tag: str) -> str | None:
        """What a tag stands for; None where it stands for nothing."""
        found = self._ask("GET", f"manifests/{tag}", headers={"Accept": MANIFEST_TYPE})
        if found.status_code == HTTPStatus.NOT_FOUND:
            return None
        self._demand(found, "tell of its tag")
        return f"sha256:{hashlib.sha256(found.content).hexdigest()}"

    def has(self, digest: str) -> bool:
        """Whether a layer is there."""
        found = self._ask("HEAD", f"blobs/{digest}")
        if found.status_code == HTTPStatus.NOT_FOUND:
            return False
        self._demand(found, "tell of its layers")
        return True

    def push_layer(
        self, digest: str, size: int, source: Source, *, on_bytes: Callable[[int], None]
    ) -> None:
        """Send a layer. A connection that is cut is made again, and the layer begun anew.

        `on_bytes` hears how many more have gone; fewer than none when they go again.
        """
        for pause in (*PAUSES, None):
            try:
                self._push_layer(digest, size, source, on_bytes)
            except Busy as reason:
                if pause is None:
                    raise StepError(
                        f"{self._name} took no layer {digest}: {reason}. What it has stays there; "
                        "run `pulumi up` again"
                    ) from reason
                say(f"{self._title}: {reason}; once more in {pause:g} s")
                time.sleep(pause)
            else:
                return

    def put_manifest(self, tag: str, manifest: bytes) -> None:
        """Let a tag stand for a manifest whose layers are there."""
        headers = {"Content-Type": MANIFEST_TYPE}
        put = self._ask("PUT", f"manifests/{tag}", headers=headers, data=manifest)
        self._demand(put, "take the manifest")

    def _push_layer(
        self, digest: str, size: int, source: Source, on_bytes: Callable[[int], None]
    ) -> None:
        begun = self._ask("POST", "blobs/uploads/")
        self._demand(begun, "take a layer", may_be_busy=True)
        place = urljoin(begun.url, begun.headers.get("Location", ""))
        where = f"{place}{'&' if urlsplit(place).query else '?'}digest={digest}"
        headers = {"Content-Type": "application/octet-stream"}
        with source() as file:
            body = _Body(file, size, on_bytes)
            try:
                put = self._session.put(where, data=body, headers=headers, timeout=self._timeout)
                self._demand(put, "take a layer", may_be_busy=True)
            except requests.RequestException as error:
                on_bytes(-body.sent)
                raise Busy(f"the connection to {self._registry.host} broke off") from error
            except Busy:
                on_bytes(-body.sent)
                raise

    def _ask(self, method: str, path: str, **given: Any) -> requests.Response:
        url = f"{self._registry.url}/v2/{self._repository}/{path}"
        try:
            answer = self._session.request(method, url, timeout=self._timeout, **given)
        except requests.exceptions.SSLError as error:
            raise StepError(
                f"{self._name} cannot be trusted, or speaks no TLS: {_cause(error)}.\n"
                "  Set registry.insecure to true for one that speaks HTTP; for an authority of "
                "your own name its certificate in REQUESTS_CA_BUNDLE"
            ) from error
        except requests.RequestException as error:
            raise StepError(
                f"{self._name} does not answer: {_cause(error)}.\n"
                "  Start it, or correct registry.host; this machine must reach it. What is served "
                "goes on answering"
            ) from error
        return answer

    def _demand(self, answer: requests.Response, what: str, *, may_be_busy: bool = False) -> None:
        if answer.ok:
            return
        status, user = answer.status_code, self._registry.username
        if may_be_busy and status in BUSY:
            raise Busy(f"{self._registry.host} answers {status}")
        told = f"{self._name} does not {what} ({status}: {_words(answer)}).\n  "
        if status == HTTPStatus.UNAUTHORIZED and user is None:
            raise StepError(
                f"{told}It asks who comes: set registry.username, and "
                "`pulumi config set --secret registry_password`"
            )
        if status == HTTPStatus.UNAUTHORIZED:
            raise StepError(
                f"{told}It knows no user {user} with this password: correct registry.username, or "
                "`pulumi config set --secret registry_password`"
            )
        if status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            raise StepError(
                f"{told}{'Nobody' if user is None else user} may push to {self._repository} "
                "there: make the project, give the right to push, or change ollama_model.publish"
            )
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise StepError(f"{told}Let what stands before it take larger requests")
        raise StepError(f"{told}Look at its log, then run `pulumi up` again")

    @property
    def _name(self) -> str:
        return f"the registry {self._registry.url}"


class _Login(AuthBase):
    """A user's name and password, as the registry asks for them: itself, or for a token."""

    def __init__(self, registry: Registry, password: str | None) -> None:
        self._registry = registry
        self._basic = None
        if registry.username is not None and password is not None:
            # As bytes: requests would take a text for Latin-1.
            self._basic = HTTPBasicAuth(registry.username.encode(), password.encode())
        self._known: AuthBase | _Bearer | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if urlsplit(request.url or "").netloc != self._registry.host:
            # Where layers are stored elsewhere, the address itself is the permission.
            return request
        if self._known is not None:
            request = self._known(request)
        request.register_hook("response", self._answered)  # type: ignore[no-untyped-call]
        return request

    def _answered(self, answer: requests.Response, **given: Any) -> requests.Response:
        """Once more with what is asked for. A layer is not: it is never the first request."""
        if answer.status_code != HTTPStatus.UNAUTHORIZED or isinstance(answer.request.body, _Body):
            return answer
        kind, _, words = answer.headers.get("WWW-Authenticate", "").partition(" ")
        told = dict(CHALLENGE.findall(words))
        known: AuthBase | None = None
        if kind.lower() == "basic":
            known = self._basic
        elif kind.lower() == "bearer":
            known = self._token(told, given)
        if known is None:
            return answer
        self._known = known
        answer.close()
        again = answer.request.copy()
        again.hooks["response"] = []
        return answer.connection.send(known(again), **given)

    def _token(self, told: Mapping[str, str], given: Mapping[str, Any]) -> "_Bearer | None":
        realm = told.get("realm", "")
        if urlsplit(realm).scheme != "https" and not self._registry.insecure:
            return None
        asked = {key: told[key] for key in ("service", "scope") if key in told}
        try:
            answer = requests.get(
                realm,
                params=asked,
                auth=self._basic or _Nobody(),
                timeout=given.get("timeout", CONNECT_SECONDS),
            )
            said = answer.json() if answer.ok else {}
        except (requests.RequestException, ValueError):
            return None
        token = said.get("token") or said.get("access_token")
        return _Bearer(str(token)) if token else None


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Nobody(AuthBase):
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Body:
    """A layer of a known length, read while it is sent."""

    def __init__(self, file: IO[bytes], size: int, on_bytes: Callable[[int], None]) -> None:
        self._file, self._size, self._on_bytes = file, size, on_bytes
        self.sent = 0

    def __len__(self) -> int:
        return self._size

    def read(self, count: int = -1) -> bytes:
        piece = self._file.read(count)
        self.sent += len(piece)
        self._on_bytes(len(piece))
        return piece


def _cause(error: BaseException) -> str:
    """What happened below the layers of the HTTP library."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__


def _words(answer: requests.Response) -> str:
    """What a registry says of itself, in one line."""
    try:
        words = str(answer.json()["errors"][0]["message"])
    except (ValueError, LookupError, TypeError):
        words = answer.text or answer.reason
    return " ".join(words.split())[:WORDS]
