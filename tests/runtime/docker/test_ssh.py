"""An engine on another host: by a stand-in for the ssh client, and by a real server here (A11, O5).

The stand-in runs here what it was to run there. The server is a private one: a port, keys and a
configuration of its own.
"""

import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from plan import labels
from runtime.docker import archive, follow
from runtime.docker import engine as docker_engine
from runtime.docker.engine import Engine, in_parallel
from runtime.docker.ssh import ssh_command
from runtime.failure import EngineUnreachableError
from runtime.host.snapshot import take_snapshot
from tests.runtime.conftest import IMAGE, Bench
from tests.runtime.docker.conftest import end_step, start_step

SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
MEGABYTE = 1024 * 1024
PATIENCE_SECONDS = 15


def wait(enough: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not enough():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.05)


def is_alive(process: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


@dataclass
class StandIn:
    """An `ssh` on the PATH that writes down its process and arguments, then does as it is told."""

    folder: Path
    address: str = "ssh://me@gpu-box:2222"

    def does(self, script: str) -> None:
        client = self.folder / "ssh"
        log = shlex.quote(str(self.folder / "log"))
        client.write_text(f'#!/bin/sh\necho "$$ $*" >> {log}\n{script}\n')
        client.chmod(0o755)

    def runs_it_here(self, before: str = "") -> None:
        last = "for command; do :; done"
        self.does(f'{before}\n{last}\nDOCKER_HOST={SOCKET} exec sh -c "exec $command"')

    @property
    def calls(self) -> list[str]:
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def processes(self) -> list[int]:
        return [int(line.split()[0]) for line in self.calls]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = StandIn(tmp_path)
    made.runs_it_here()
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return made


def reason(address: str) -> str:
    """Why no engine answers, told within seconds."""
    began = time.monotonic()
    with (
        closing(Engine(address)) as engine,
        pytest.raises(EngineUnreachableError) as unreachable,
        engine.calls(),
    ):
        pass
    assert time.monotonic() - began < PATIENCE_SECONDS
    return str(unreachable.value)


class TestCommand:
    def test_says_who_and_where(self):
        command = ssh_command("ssh://me@gpu-box:2222")
        assert command[-7:-1] == ["-l", "me", "-p", "2222", "--", "gpu-box"]
        assert command[-1] == "docker system dial-stdio"
        assert "BatchMode=yes" in command
        assert "ServerAliveInterval=15" in command

    def test_a_socket_there_can_be_named(self):
        assert ssh_command("ssh://box/run/user/1000/docker.sock")[-2:] == [
            "box",
            "docker --host unix:///run/user/1000/docker.sock system dial-stdio",
        ]

    def test_the_operators_options_count_first(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("DOCKER_SSH_OPTS", "-o ServerAliveInterval=60 -J jump")
        assert ssh_command("ssh://box")[2:6] == ["-o", "ServerAliveInterval=60", "-J", "jump"]


class TestFailures:
    def test_are_told_in_sshs_own_words(self, stand_in: StandIn):
        stand_in.does("echo 'Host key verification failed.' >&2; exit 255")
        told = reason(stand_in.address)
        assert "no Docker engine answers at ssh://me@gpu-box:2222" in told
        assert "(Host key verification failed.)" in told
        assert "-l me -p 2222 -- gpu-box 'docker version'" in told

    def test_are_told_where_ssh_says_nothing(self, stand_in: StandIn):
        stand_in.does("exit 3")
        assert "ssh ended with exit code 3" in reason(stand_in.address)

    def test_the_other_hosts_words_come_through(self, stand_in: StandIn):
        stand_in.does("echo 'sh: 1: docker: not found' >&2; exit 127")
        assert "docker: not found" in reason(stand_in.address)

    def test_a_host_that_says_nothing_is_not_waited_for(
        self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(docker_engine, "FIRST_ANSWER_SECONDS", 1)
        stand_in.does("exec sleep 60")
        assert "timed out" in reason(stand_in.address)
        (process,) = stand_in.processes
        wait(lambda: not is_alive(process))

    def test_no_client_at_all(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        monkeypatch.setenv("PATH", str(tmp_path))
        assert "no ssh client here" in reason("ssh://box")


@pytest.fixture
def storage(bench: Bench) -> Any:
    """A container to put files into."""
    bench.client.volumes.create(bench.volume)
    return bench.client.containers.create(
        IMAGE,
        volumes={bench.volume: {"bind": "/app/output", "mode": "rw"}},
        labels={f"{labels.NAMESPACE}.test": bench.stack},
    )


def goes_there_and_back(engine: Engine, storage: Any, folder: Path, megabytes: int) -> None:
    content = os.urandom(MEGABYTE) * megabytes
    (folder / "large").write_bytes(content)
    archive.put_files(engine, storage.id, "/app/output", {"a/b": folder / "large"})
    assert archive.size_of(engine, storage.id, "/app/output/a/b") == len(content)
    assert archive.read_file(engine, storage.id, "/app/output/a/b") == content


@pytest.mark.engine
class TestStandIn:
    def test_a_step_runs_there(self, bench: Bench, stand_in: StandIn):
        end_step(start_step(bench, "sleep 0.1", engine=stand_in.address))
        assert stand_in.calls[0].endswith("-- gpu-box docker system dial-stdio")

    def test_many_questions_at_once(self, stand_in: StandIn, bench: Bench):
        version = bench.client.version()["Version"]
        with closing(Engine(stand_in.address)) as engine, engine.calls() as api:
            answers = in_parallel([lambda: api.info()["ServerVersion"]] * 40)
        assert answers == [version] * 40

    def test_large_files_go_there_and_back(self, stand_in: StandIn, storage: Any, small_tmp: Path):
        with closing(Engine(stand_in.address)) as engine:
            goes_there_and_back(engine, storage, small_tmp, megabytes=50)

    def test_a_caller_that_the_server_turns_away_comes_again(self, stand_in: StandIn):
        words = "kex_exchange_identification: read: Connection reset by peer"
        busy = f"[ $(wc -l < {stand_in.folder}/log) -le 2 ] && {{ echo '{words}' >&2; exit 255; }}"
        stand_in.runs_it_here(before=busy)
        with closing(Engine(stand_in.address)) as engine, engine.calls() as api:
            assert api.ping()
        assert len(stand_in.calls) == 3

    def test_nothing_is_left_when_it_is_closed(
        self, stand_in: StandIn, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ):
        temporary = stand_in.folder / "temporary"
        temporary.mkdir()
        monkeypatch.setenv("TMPDIR", str(temporary))
        with closing(Engine(stand_in.address)) as engine, engine.calls() as api:
            in_parallel([api.info] * 4)
        assert len(stand_in.processes) > 1
        wait(lambda: not any(map(is_alive, stand_in.processes)))
        assert list(temporary.iterdir()) == []

    @pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), signal.SIGKILL)"])
    def test_nothing_outlives_the_program(self, stand_in: StandIn, end: str):
        script = f"""
import os, signal
from runtime.docker.engine import Engine
with Engine({stand_in.address!r}).calls() as api:
    api.ping()
    {end}
"""
        subprocess.run([sys.executable, "-c", script], check=not end)
        wait(lambda: bool(stand_in.processes))
        wait(lambda: not any(map(is_alive, stand_in.processes)))


@dataclass
class Server:
    """A private ssh server on this host."""

    folder: Path
    port: int

    @property
    def address(self) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def sessions(self) -> list[int]:
        """Processes of connections at work, by the log of the server."""
        return [
            int(line.split()[-1].rstrip("."))
            for line in self.log.splitlines()
            if line.startswith("debug1: Forked child")
        ]

    def client(self, **options: str) -> str:
        """A PATH whose `ssh` reads a configuration of its own: no other is touched."""
        folder = self.folder / f"client-{len(list(self.folder.glob('client-*')))}"
        folder.mkdir()
        said = {
            "UserKnownHostsFile": f"{self.folder}/known_hosts",
            "StrictHostKeyChecking": "yes",
            "IdentityFile": f"{self.folder}/user",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            **options,
        }
        config = "".join(f"{key} {value}\n" for key, value in said.items())
        (folder / "config").write_text(config)
        real = shutil.which("ssh")
        assert real, "the tests need an ssh client: install openssh-client"
        (folder / "ssh").write_text(f'#!/bin/sh\nexec {real} -F {folder}/config "$@"\n')
        (folder / "ssh").chmod(0o755)
        return f"{folder}:{os.environ['PATH']}"


def start_server(folder: Path, *settings: str) -> tuple[Server, subprocess.Popen[bytes]]:
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "the tests need an ssh server's program: install openssh-server"
    assert os.geteuid() == 0, "starting an ssh server needs root: run the tests as root"
    # Where the system has not started one yet, the folder that it wants is not there.
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for key in ("host", "user", "stranger"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
        subprocess.run(command, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    host_key = (folder / "host.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    (folder / "config").write_text(
        "\n".join(
            [
                *settings,
                f"Port {port}",
                "ListenAddress 127.0.0.1",
                f"HostKey {folder}/host",
                f"AuthorizedKeysFile {folder}/user.pub",
                "PidFile none",
                "UsePAM no",
                "StrictModes no",
                "PasswordAuthentication no",
                "LogLevel DEBUG1",
                f"SetEnv DOCKER_HOST={SOCKET}",
            ]
        )
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "config")], stderr=log)
    server = Server(folder, port)
    wait(lambda: "Server listening" in server.log or process.poll() is not None)
    assert process.poll() is None, server.log
    return server, process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made, process = start_server(tmp_path_factory.mktemp("sshd"))
    yield made
    process.terminate()
    process.wait(10)


@pytest.mark.engine
class TestRealServer:
    @pytest.fixture(autouse=True)
    def path(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", server.client())

    def test_the_programs_work_on_the_engine_behind_it(
        self, bench: Bench, server: Server, small_tmp: Path
    ):
        with closing(Engine(server.address)) as engine:
            assert take_snapshot(engine).info["ID"] == bench.client.info()["ID"]
            assert not engine.is_local
        end_step(start_step(bench, "sleep 2", engine=server.address))

    def test_large_files_go_there_and_back(self, server: Server, storage: Any, small_tmp: Path):
        with closing(Engine(server.address)) as engine:
            goes_there_and_back(engine, storage, small_tmp, megabytes=50)

    def test_a_connection_that_breaks_is_made_again(
        self, bench: Bench, server: Server, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(follow, "LOOK_SECONDS", 0.5)
        container = bench.client.containers.run(
            IMAGE, ["sleep", "4"], labels={f"{labels.NAMESPACE}.test": bench.stack}, detach=True
        )
        broken: list[Any] = []
        told: list[Any] = []
        ticks: list[Any] = []

        def break_once(elapsed: float) -> None:
            ticks.append(elapsed)
            if not broken:
                broken.extend(process for process in server.sessions() if is_alive(process))
                for process in broken:
                    os.kill(process, signal.SIGKILL)

        with closing(Engine(server.address)) as engine:
            follow.follow(engine, container.id, deadline=60, on_tick=break_once, tell=told.append)
        assert broken
        assert ticks[-1] > 2, "it was followed to its end"
        assert container.wait()["StatusCode"] == 0

    def test_a_connection_that_goes_silent_is_given_up(
        self, bench: Bench, server: Server, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(follow, "LOOK_SECONDS", 0.5)
        monkeypatch.setattr(follow, "ANSWER_SECONDS", 1)
        container = bench.client.containers.run(
            IMAGE, ["sleep", "5"], labels={f"{labels.NAMESPACE}.test": bench.stack}, detach=True
        )
        silent: list[Any] = []
        told: list[Any] = []

        def silence_once(_: float) -> None:
            if not silent:
                silent.extend(process for process in server.sessions() if is_alive(process))
                for process in silent:
                    os.kill(process, signal.SIGSTOP)

        try:
            with closing(Engine(server.address)) as engine:
                follow.follow(
                    engine, container.id, deadline=60, on_tick=silence_once, tell=told.append
                )
        finally:
            for process in silent:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        away, back = told
        assert away.endswith("has not answered for 1 s: trying again for 10 minutes")
        assert back == "the engine answers again"
        assert container.wait()["StatusCode"] == 0

    def test_a_server_that_turns_callers_away_when_many_come_at_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        server, process = start_server(tmp_path, "MaxStartups 2")
        try:
            monkeypatch.setenv("PATH", server.client())
            with closing(Engine(server.address)) as engine, engine.calls() as api:
                names = in_parallel([lambda: api.info()["Name"]] * 8)
            assert len(set(names)) == 1
            assert "drop connection" in server.log
        finally:
            process.terminate()
            process.wait(10)

    def test_nobody_listens(self, server: Server):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        told = reason(f"ssh://127.0.0.1:{port}")
        assert f"connect to host 127.0.0.1 port {port}: Connection refused" in told

    def test_a_host_that_is_not_there(self):
        assert "Could not resolve hostname" in reason("ssh://no-such-host.invalid")

    def test_a_host_key_that_nobody_knows(self, server: Server, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("PATH", server.client(UserKnownHostsFile="/dev/null"))
        assert "Host key verification failed" in reason(server.address)

    def test_a_caller_whom_the_host_does_not_know(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("PATH", server.client(IdentityFile=f"{server.folder}/stranger"))
        assert "Permission denied (publickey" in reason(server.address)

    def test_an_engine_that_is_not_there_on_a_host_that_is(self, server: Server):
        assert "/nowhere.sock" in reason(f"{server.address}/nowhere.sock")
