"""An engine behind ssh, reached without an ssh library."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain.engine_api import NoAnswerError, read_info
from toolchain.engine_client import connect
from toolchain.ssh_relay import SshRelay, ssh_command

RELAY = """#!/usr/bin/env python3
import os, socket, sys, threading
peer = socket.socket(socket.AF_UNIX)
peer.connect({path!r})
def send():
    while chunk := os.read(0, 65536):
        peer.sendall(chunk)
    peer.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while chunk := peer.recv(65536):
    os.write(1, chunk)
"""


def fake_ssh(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other machine is this one: an `ssh` of our own."""
    ssh = folder / "ssh"
    ssh.write_text(script)
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_ssh_engines_are_reached_as_the_docker_cli_does():
    assert ssh_command("ssh://user@gpu-box:2222", ["-o", "X=y"]) == [
        "ssh",
        *("-o", "X=y"),
        *("-l", "user"),
        *("-p", "2222"),
        *("-o", "ConnectTimeout=30", "-T"),
        "--",
        "gpu-box",
        "docker system dial-stdio",
    ]


def test_an_engine_that_cannot_be_reached_says_what_ssh_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_ssh(tmp_path, '#!/bin/sh\necho "no route to $*" >&2\nexit 255\n', monkeypatch)

    with pytest.raises(NoAnswerError, match=r"no route to -l me .* nowhere docker system dial"):
        read_info("ssh://me@nowhere")


def test_without_an_ssh_program_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(NoAnswerError, match="No such file or directory: 'ssh'"):
        read_info("ssh://me@nowhere")


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "echo.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(connection.recv(100)[::-1])

        threading.Thread(target=answer, daemon=True).start()
        yield path


def test_what_is_sent_arrives_and_so_does_the_answer(
    tmp_path: Path, echo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_ssh(tmp_path, RELAY.format(path=str(echo)), monkeypatch)

    with SshRelay("ssh://gpu-box") as relay, socket.socket(socket.AF_UNIX) as connection:
        path = relay.address.removeprefix("unix://")
        connection.connect(path)
        connection.sendall(b"abc")
        assert connection.recv(100) == b"cba"

    assert not Path(path).exists()


@pytest.mark.engine
def test_an_engine_is_asked_and_used_through_ssh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    fake_ssh(tmp_path, RELAY.format(path=path), monkeypatch)

    assert read_info("ssh://me@gpu-box") == read_info(f"unix://{path}")
    with connect("ssh://me@gpu-box") as client:
        assert client.ping()
