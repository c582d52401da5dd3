"""The client of the engine: every kind of address, refusals, lost connections."""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from runtime.docker import archive
from runtime.docker.connection import LOCAL, engine_address
from runtime.docker.engine import Engine
from runtime.failure import EngineError, EngineUnreachableError, MissingError
from tests.runtime.conftest import Bench

SSH = f"""#!{sys.executable}
import os, selectors, socket, sys
with open({{log!r}}, "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
engine = socket.socket(socket.AF_UNIX)
engine.connect({{socket!r}})
both = selectors.DefaultSelector()
both.register(0, selectors.EVENT_READ, lambda piece: engine.sendall(piece))
both.register(engine, selectors.EVENT_READ, lambda piece: os.write(1, piece))
while True:
    for key, _ in both.select():
        piece = os.read(key.fd, 65536)
        if not piece:
            sys.exit()
        key.data(piece)
"""
"""A stand-in for the ssh client: the other host's engine is this one's."""


def local_socket() -> str:
    return engine_address(None).removeprefix("unix://")


class TestAddress:
    def test_the_setting_comes_before_the_environment(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("DOCKER_HOST", "tcp://there:2375")
        assert engine_address("ssh://me@box") == "ssh://me@box"
        assert engine_address(None) == "tcp://there:2375"
        monkeypatch.delenv("DOCKER_HOST")
        assert engine_address(None) == LOCAL


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

    VERSION = (
        b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\nConnection: close\r\n\r\n{"ApiVersion":"1.41"}'
    )

    def test_an_engine_that_goes_away_is_told_from_one_that_never_was(self):
        with self.engine_that(self.VERSION, b"") as address, closing(Engine(address)) as engine:
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
            self.engine_that(self.VERSION, broken) as address,
            closing(Engine(address)) as engine,
            pytest.raises(EngineUnreachableError, match="does not answer any more"),
            engine.calls() as api,
        ):
            api.info()

    def test_the_reason_is_the_systems_own(self):
        with (
            closing(Engine("tcp://127.0.0.1:1")) as engine,
            pytest.raises(EngineUnreachableError) as unreachable,
            engine.calls(),
        ):
            pass
        assert unreachable.value.reason.endswith("([Errno 111] Connection refused)")

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

    def test_an_engine_on_another_host_is_reached_through_ssh(
        self, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        log, client = tmp_path / "log", tmp_path / "ssh"
        client.write_text(SSH.format(log=str(log), socket=local_socket()))
        client.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        outcome = bench.converge(
            {**bench.stage("mv $partial $artefact"), "engine": "ssh://me@gpu-box:2222"}
        )
        assert outcome.code == 0, outcome.words
        called = log.read_text().splitlines()[0]
        assert called.endswith("-l me -p 2222 -- gpu-box docker system dial-stdio")
        assert "BatchMode=yes" in called

    def test_a_large_file_survives_the_way_there_and_back(self, bench: Bench, tmp_path: Path):
        content = bytes(range(256)) * 4096 * 5
        (tmp_path / "large").write_bytes(content)
        bench.client.volumes.create(bench.volume)
        container = bench.client.containers.create(
            bench.stage("")["container"]["image"],
            volumes={bench.volume: {"bind": "/app/output", "mode": "rw"}},
            labels={"finetune-stack.test": bench.stack},
        )
        with closing(Engine()) as engine:
            archive.put_files(engine, container.id, "/app/output", {"a/b": tmp_path / "large"})
            assert archive.read_file(engine, container.id, "/app/output/a/b") == content
            assert archive.size_of(engine, container.id, "/app/output/a/b") == len(content)
            assert archive.size_of(engine, container.id, "/app/output/none") is None
            with pytest.raises(MissingError):
                archive.put_files(engine, container.id, "/nowhere", {"x": tmp_path / "large"})
