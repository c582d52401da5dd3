"""A command in a container, at a real terminal (a pseudo one) and in a pipe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.terminal import Terminal
from tests.toolchain.test_ssh_relay import RELAY
from toolchain.engine_api import DEFAULT_HOST
from toolchain.places import REPOSITORY

pytestmark = pytest.mark.engine
ENGINE = os.environ.get("DOCKER_HOST", DEFAULT_HOST)
PATIENCE_SECONDS = 60
CALL = (
    "import sys; from toolchain.container_session import run_in_container as run; "
    "sys.exit(run(sys.argv[1], sys.argv[2], sys.argv[3:]))"
)


@pytest.fixture(scope="module")
def container() -> Iterator[str]:
    client = docker.from_env()
    name = f"session-{uuid.uuid4().hex[:8]}"
    made = client.containers.run(
        "debian:trixie-slim", ["sleep", "600"], name=name, init=True, detach=True
    )
    try:
        yield name
    finally:
        made.remove(force=True)


@pytest.fixture(params=["here", "behind ssh"])
def way(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An address of the engine."""
    if request.param == "here":
        return ENGINE
    ssh = tmp_path / "ssh"
    ssh.write_text(RELAY.format(path=ENGINE.removeprefix("unix://")))
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return "ssh://me@gpu-box"


def argv(way: str, container: str, *command: str) -> list[str]:
    return [sys.executable, "-c", CALL, way, container, *command]


def piped(
    way: str, container: str, *command: str, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        argv(way, container, *command),
        cwd=REPOSITORY,
        input=given,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


class TestPipe:
    def test_what_is_given_arrives_to_its_end_and_what_is_said_comes_back(
        self, way: str, container: str
    ) -> None:
        given = os.urandom(300_000)
        done = piped(way, container, "cat", given=given)
        assert (done.returncode, done.stdout, done.stderr) == (0, given, b"")

    def test_it_is_said_as_it_is_made(self, way: str, container: str) -> None:
        script = "echo first; read -r _; exec sleep 300"
        process = subprocess.Popen(
            argv(way, container, "sh", "-c", script),
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert process.stdout
        assert process.stdout.readline() == b"first\n"
        process.kill()
        process.wait()
        process.stdout.close()

    def test_a_failure_is_its_own_with_its_words(self, way: str, container: str) -> None:
        script = r"printf '\033[1Gdrawing\r'; echo out of words >&2; exit 7"
        done = piped(way, container, "sh", "-c", script)
        assert done.returncode == 7
        assert done.stderr.strip() == b"out of words"

    def test_no_word_is_anything_to_a_shell(self, way: str, container: str) -> None:
        word = "a  'b' $HOME; exit 3 `id`"
        assert piped(way, container, "printf", "%s", word).stdout.decode() == word

    def test_a_container_that_is_not_there(self, way: str) -> None:
        done = piped(way, "nobody-there", "true")
        assert done.returncode == 1
        assert b"runs nothing in nobody-there: No such container" in done.stderr


class TestTerminal:
    @pytest.fixture
    def shell(self, way: str, container: str) -> Iterator[Terminal]:
        with Terminal(argv(way, container, "sh")) as terminal:
            terminal.see(b"# ")
            yield terminal

    def test_keys_and_screen_are_those_of_the_container(self, shell: Terminal) -> None:
        shell.press(b"test -t 0 && test -t 1 && echo at $((6 * 7))\r")
        shell.see(b"at 42\r\n")
        # An interrupt is for what runs there, and ends nothing here.
        shell.press(b"sleep 300\r")
        shell.see(b"sleep 300\r\n")
        time.sleep(0.5)
        shell.press(b"\x03")
        shell.see(b"# ")
        shell.press(b"echo again $?\r")
        shell.see(b"again 130")
        shell.press(b"\x04")
        assert shell.end() == 0

    def test_the_size_of_the_screen_follows(self, shell: Terminal) -> None:
        termios.tcsetwinsize(shell.keyboard, (17, 71))
        shell.process.send_signal(signal.SIGWINCH)
        time.sleep(1)
        shell.press(b"stty size\r")
        shell.see(b"17 71")
        shell.press(b"exit 5\r")
        assert shell.end() == 5
