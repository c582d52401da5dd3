"""A push over real HTTP: who is let in and how, what is sent, and what goes wrong on the way.

A real registry is in tests/integration; this one asks for tokens, cuts connections and refuses.
"""

import base64
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import pytest

from plan.publication import Registry
from runtime.failure import StepError
from runtime.publication import registry
from runtime.publication.registry import RegistryClient

REPOSITORY = "team/guide"
LAYER = b"weights" * 1000
PASSWORD = "nést"
DIGEST = f"sha256:{hashlib.sha256(LAYER).hexdigest()}"
MANIFEST = b'{"schemaVersion":2}'
TOKEN = "t0ken"


class RegistryServer:
    """What it has, whom it lets in, and how it fails."""

    def __init__(self) -> None:
        self.asks_for: str | None = None
        """Basic, or Bearer."""
        self.blobs: dict[str, bytes] = {}
        self.tags: dict[str, bytes] = {}
        self.refusals: list[int] = []
        """Statuses to answer to the next uploads."""
        self.cuts = 0
        """Uploads that are cut half-way."""
        self.elsewhere: str | None = None
        """Where it sends who uploads."""
        self.seen: list[tuple[str, str, str | None]] = []
        self.realm: str | None = None
        self.server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": self})
        )
        self.host = f"127.0.0.1:{self.server.server_port}"

    def methods(self) -> list[str]:
        return [method for method, _, _ in self.seen]


class _Handler(BaseHTTPRequestHandler):
    registry: RegistryServer

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _act(self) -> None:
        made, given = self.registry, self.headers["Authorization"]
        made.seen.append((self.command, self.path, given))
        if self.path.startswith("/token"):
            right = given == "Basic " + base64.b64encode(f"raven:{PASSWORD}".encode()).decode()
            self._answer(200 if right else 401, f'{{"token": "{TOKEN}"}}'.encode())
            return
        if self.path.startswith("/elsewhere"):
            self._take_layer()
            return
        if not self._is_let_in(given):
            return
        if self.command == "POST":
            if made.refusals:
                self._answer(made.refusals.pop(0), b'{"errors": [{"message": "not now"}]}')
                return
            self._answer(202, Location=made.elsewhere or "/upload?state=1")
        elif self.command == "PUT" and self.path.startswith("/upload"):
            self._take_layer()
        elif self.command == "PUT":
            content = self.rfile.read(int(self.headers["Content-Length"]))
            made.tags[self.path.rpartition("/")[2]] = content
            self._answer(201)
        else:
            name = self.path.rpartition("/")[2]
            found = (made.tags if "/manifests/" in self.path else made.blobs).get(name)
            self._answer(404 if found is None else 200, found or b"")

    do_GET = do_HEAD = do_POST = do_PUT = _act

    def _is_let_in(self, given: str | None) -> bool:
        asks = self.registry.asks_for
        right = {
            None: given,
            "Basic": "Basic " + base64.b64encode(f"raven:{PASSWORD}".encode()).decode(),
            "Bearer": f"Bearer {TOKEN}",
        }[asks]
        if given == right:
            return True
        realm = self.registry.realm or f"http://{self.registry.host}/token"
        challenge = f'{asks} realm="{realm}",service="models",scope="repository:team/guide:pull"'
        self._answer(401, WWW_Authenticate=challenge)
        return False

    def _take_layer(self) -> None:
        size = int(self.headers["Content-Length"])
        if self.registry.cuts:
            self.registry.cuts -= 1
            self.rfile.read(size // 2)
            self.connection.close()
            return
        self.registry.blobs[self.path.partition("digest=")[2]] = self.rfile.read(size)
        self._answer(201)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RegistryServer]:
    made = RegistryServer()
    monkeypatch.setattr(registry, "PAUSES", (0.001, 0.001))
    serving = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    serving.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    serving.join()


def client(
    server: RegistryServer, *, username: str | None = None, password: str | None = PASSWORD
) -> RegistryClient:
    return RegistryClient(
        Registry(host=server.host, insecure=True, username=username),
        REPOSITORY,
        password=password,
        title="publish guide",
    )


def push(made: RegistryClient) -> int:
    """Push all there is to a registry; how many bytes were told of."""
    told: list[int] = []
    assert made.digest_of("v1") is None
    assert not made.has(DIGEST)
    made.push_layer(DIGEST, len(LAYER), partial(BytesIO, LAYER), on_bytes=told.append)
    made.put_manifest("v1", MANIFEST)
    return sum(told)


@pytest.mark.parametrize("asks_for", [None, "Basic", "Bearer"])
def test_a_push_arrives_with_the_login_that_is_asked_for(
    server: RegistryServer, asks_for: str | None
) -> None:
    server.asks_for = asks_for
    made = client(server, username=asks_for and "raven")
    assert push(made) == len(LAYER)
    assert server.blobs == {DIGEST: LAYER}
    assert server.tags == {"v1": MANIFEST}
    assert made.has(DIGEST)
    assert made.digest_of("v1") == f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"


def test_a_layer_that_is_cut_is_sent_again_and_counted_once(server: RegistryServer) -> None:
    server.cuts, server.refusals = 1, [503]
    assert push(client(server)) == len(LAYER)
    assert server.blobs == {DIGEST: LAYER}


def test_a_registry_that_never_takes_it_is_given_up(server: RegistryServer) -> None:
    server.refusals = [503] * 9
    with pytest.raises(
        StepError, match=r"took no layer sha256.*answers 503.*run `pulumi up` again"
    ):
        push(client(server))
    assert len(server.refusals) == 6, "three tries"


def test_where_layers_lie_elsewhere_no_login_goes_along(server: RegistryServer) -> None:
    server.asks_for = "Basic"
    # The same server under another name, as a store of objects would be.
    server.elsewhere = f"http://localhost:{server.server.server_port}/elsewhere?signed=1"
    push(client(server, username="raven"))
    (login,) = [login for _, path, login in server.seen if path.startswith("/elsewhere")]
    assert login is None


def test_a_password_goes_to_no_realm_without_encryption(server: RegistryServer) -> None:
    server.asks_for = "Bearer"
    made = registry._Login(
        Registry(host=server.host, insecure=False, username="raven"), password=PASSWORD
    )
    assert made._token({"realm": f"http://{server.host}/token"}, {}) is None
    assert server.seen == []


@pytest.mark.parametrize(
    ("username", "password", "told"),
    [
        (None, None, "It asks who comes: set registry.username"),
        ("raven", "secret-wrong", "It knows no user raven with this password"),
    ],
)
@pytest.mark.parametrize("asks_for", ["Basic", "Bearer"])
def test_who_is_not_let_in_is_told_why(
    server: RegistryServer, asks_for: str, username: str | None, password: str | None, told: str
) -> None:
    server.asks_for = asks_for
    with pytest.raises(StepError) as caught:
        client(server, username=username, password=password).digest_of("v1")
    assert told in str(caught.value)
    assert "secret-wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (403, "raven may push to team/guide there"),
        (404, "raven may push to team/guide there"),
        (413, "take larger requests"),
        (400, "400: not now"),
        (520, "520: not now"),
    ],
)
def test_a_refusal_says_what_to_change(server: RegistryServer, status: int, told: str) -> None:
    server.refusals = [status]
    with pytest.raises(StepError, match=told):
        push(client(server, username="raven"))


def test_one_that_is_down_or_speaks_no_tls_is_told_as_such(server: RegistryServer) -> None:
    made = RegistryClient(Registry(host=server.host), REPOSITORY, password=None, title="publish")
    with pytest.raises(StepError, match=r"speaks no TLS.*\n.*registry.insecure to true"):
        made.digest_of("v1")
    server.server.server_close()
    server.server.shutdown()
    with pytest.raises(StepError, match=r"does not answer.*\n.*correct registry.host"):
        client(server).digest_of("v1")
