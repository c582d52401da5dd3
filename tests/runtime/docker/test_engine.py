"""The client of the engine: every kind of address, refusals, lost connections."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import pytest

from plan import labels
from runtime.docker import archive
from runtime.docker.archive import CHUNK
from runtime.docker.engine import Engine
from runtime.failure import EngineError, EngineUnreachableError, MissingError, StepError
from tests.runtime.conftest import IMAGE, Bench
from tests.runtime.docker.lossy_proxy import lossy_proxy

SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


class TestLoss:
    @staticmethod
    @contextmanager
    def engine_that(*answers: bytes) -> Iterator[str]:
        """An engine that gives each connection one of these answers and hangs up."""
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve() -> None:
                for answer in answers:
                    accepted, _ = server.accept()
                    with accepted:
                        accepted.recv(65536)
                        accepted.sendall(answer)

            thread = threading.Thread(target=serve)
            thread.start()
            yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
            thread.join(timeout=10)

    @staticmethod
    def answer(body: bytes, status: bytes = b"200 OK", api: bytes | None = None) -> bytes:
        head = b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n" % (status, len(body))
        return head + (b"Api-Version: %s\r\n" % api if api else b"") + b"\r\n" + body

    PING = answer(b"OK", api=b"1.41")

    def test_an_engine_that_goes_away_is_told_from_one_that_never_was(self):
        with self.engine_that(self.PING, b"") as address, closing(Engine(address)) as engine:
            with (
                pytest.raises(EngineUnreachableError, match="does not answer any more") as lost,
                engine.calls() as api,
            ):
                api.info()
            assert "attaches" in str(lost.value)
        with (
            self.engine_that(b"") as address,
            closing(Engine(address)) as engine,
            pytest.raises(EngineUnreachableError, match="no Docker engine answers"),
            engine.calls(),
        ):
            pass

    def test_an_answer_that_breaks_off_is_a_lost_engine(self):
        broken = b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{"
        with (
            self.engine_that(self.PING, broken) as address,
            closing(Engine(address)) as engine,
            pytest.raises(EngineUnreachableError, match="does not answer any more"),
            engine.calls() as api,
        ):
            api.info()

    @pytest.mark.parametrize("sent", [None, 100, 700, CHUNK // 2])
    def test_a_file_comes_as_a_stream_or_breaks_off_as_the_engines_failure(self, sent: int | None):
        content = os.urandom(CHUNK)
        tar = b"".join(archive.tar_stream({"blob": content}))
        whole = self.answer(tar)
        cut = whole if sent is None else whole[: whole.index(b"\r\n\r\n") + 4 + sent]
        with (
            self.engine_that(self.PING, cut) as address,
            closing(Engine(address)) as engine,
            nullcontext() if sent is None else pytest.raises(StepError, match="broke off"),
            archive.streamed(engine, "c", "/blob") as file,
        ):
            assert file.read() == content

    def test_the_reason_is_the_systems_own(self):
        with (
            closing(Engine("tcp://127.0.0.1:1")) as engine,
            pytest.raises(EngineUnreachableError) as unreachable,
            engine.calls(),
        ):
            pass
        assert unreachable.value.reason.endswith("([Errno 111] Connection refused)")

    def test_a_socket_that_others_may_use_alone(self, tmp_path: Path):
        assert os.geteuid() == 0, "root may open every socket: the test gives its rights up"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tmp_path / "docker.sock"))
            server.listen()
            os.seteuid(65534)
            try:
                with (
                    pytest.raises(EngineUnreachableError, match="Permission denied") as refused,
                    Engine(f"unix://{tmp_path}/docker.sock").calls(),
                ):
                    pass
            finally:
                os.seteuid(0)
        assert "the group docker" in str(refused.value)

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (answer(b"OK", api=b"1.39"), "is too old: its API is 1.39"),
            (answer(b"<html>hello</html>"), r"is no Docker engine .* \(200: <html>hello</html>\)"),
            (answer(b"", b"502 Bad Gateway"), r"is no Docker engine .* \(502: Bad Gateway\)"),
            (
                answer(b"Client sent an HTTP request to an HTTPS server.\n", b"400 Bad Request"),
                "an HTTP request to an HTTPS server.*set DOCKER_TLS_VERIFY",
            ),
            (
                answer(b'{"message":"authorization denied by plugin"}', b"403 Forbidden"),
                r"\(403: authorization denied by plugin\)",
            ),
        ],
    )
    def test_what_is_no_engine_to_work_with_is_told(self, answer: bytes, words: str):
        with (
            self.engine_that(answer) as address,
            closing(Engine(address)) as engine,
            pytest.raises(EngineUnreachableError, match=words),
            engine.calls(),
        ):
            pass

    def test_a_context_that_is_not_there_is_told_at_the_first_call(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        monkeypatch.delenv("DOCKER_HOST", raising=False)
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        monkeypatch.setenv("DOCKER_CONTEXT", "gone")
        engine = Engine()
        assert engine.address == "the docker client's context"
        with (
            pytest.raises(EngineUnreachableError, match="no Docker context 'gone'"),
            engine.calls(),
        ):
            pass

    def test_an_unknown_kind_of_address_is_explained(self):
        with (
            pytest.raises(EngineUnreachableError, match="ssh://USER@HOST"),
            Engine("ftp://box").calls(),
        ):
            pass


@pytest.mark.engine
class TestRealEngine:
    def test_refusals_carry_the_engines_words(self):
        with closing(Engine()) as engine:
            with pytest.raises(MissingError, match="No such container"), engine.calls() as api:
                api.inspect_container("fts-test-nowhere")
            refused = pytest.raises(EngineError, match=r"refused POST /v[0-9.]+/containers/create")
            with refused, engine.calls() as api:
                api.create_container_from_config({"Image": ""})

    def test_a_large_file_survives_the_way_there_and_back(self, bench: Bench, tmp_path: Path):
        content = bytes(range(256)) * 4096 * 5
        (tmp_path / "large").write_bytes(content)
        bench.client.volumes.create(bench.volume)
        container = bench.client.containers.create(
            IMAGE,
            volumes={bench.volume: {"bind": "/app/output", "mode": "rw"}},
            labels={f"{labels.NAMESPACE}.test": bench.stack},
        )
        with closing(Engine()) as engine:
            archive.put_files(engine, container.id, "/app/output", {"a/b": tmp_path / "large"})
            assert archive.read_file(engine, container.id, "/app/output/a/b") == content
            assert archive.size_of(engine, container.id, "/app/output/a/b") == len(content)
            assert archive.size_of(engine, container.id, "/app/output/none") is None
            with pytest.raises(MissingError):
                archive.put_files(engine, container.id, "/nowhere", {"x": tmp_path / "large"})


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, the certificate of an engine on 127.0.0.1 and that of its client."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        command = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-days", "1", *arguments]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    openssl("-x509", "-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=authority")
    for name in ("engine", "client"):
        signed = ["-x509", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-subj", f"/CN={name}"]
        names = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"]
        openssl(*signed, *names, "-keyout", f"{name}-key.pem", "-out", f"{name}.pem")
    (folder / "client.pem").rename(folder / "cert.pem")
    (folder / "client-key.pem").rename(folder / "key.pem")
    return folder


@pytest.mark.engine
class TestTls:
    @pytest.fixture
    def address(self, certificates: Path) -> Iterator[str]:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.pem")
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_cert_chain(certificates / "engine.pem", certificates / "engine-key.pem")
        with lossy_proxy(SOCKET, tls) as proxy:
            yield proxy.address

    @staticmethod
    def ask(address: str) -> str:
        with closing(Engine(address)) as engine, engine.calls() as api:
            return str(api.info()["ServerVersion"])

    def test_an_engine_is_asked_with_the_environments_certificates(
        self, address: str, certificates: Path, monkeypatch: pytest.MonkeyPatch, bench: Bench
    ):
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates))
        assert self.ask(address) == bench.client.version()["Version"]

    def test_another_authority_is_refused(
        self, address: str, certificates: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        for name in ("cert.pem", "key.pem"):
            shutil.copy(certificates / name, tmp_path)
        # Good for nothing but itself.
        shutil.copy(certificates / "engine.pem", tmp_path / "ca.pem")
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
        with pytest.raises(EngineUnreachableError, match="certificate verify failed"):
            self.ask(address)

    def test_a_client_without_certificates_is_told(
        self, address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        with pytest.raises(EngineUnreachableError, match="no Docker engine answers"):
            self.ask(address)
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
        with pytest.raises(EngineUnreachableError, match=f"{tmp_path} lacks certificates"):
            self.ask(address)
