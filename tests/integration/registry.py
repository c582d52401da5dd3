"""A real registry, as Debian has it: one store, a door for those who push and one for all.

Ollama gives a registry no password, and takes layers only from another host, where the registry
sends it. Who keeps a store on a disk and wants a password asked of those who push lets others read
through a door of their own: it takes nothing, and sends them to a server of files.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self

import httpx
import yaml

from tests.integration.stack import free_port

USER, PASSWORD = "raven", "rook & r\u00e4ven"
HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuu2tzasXcxeqg2riGVEXm7BA6UXVoIHMm\n"
"""The password as `htpasswd -B` writes it."""

START_SECONDS = 20
FILES_NAME = "files.of-the-registry.test"
"""Of the server of files, for those who pull."""


@dataclass
class Door:
    """One process of the registry; it listens for as long as it is entered."""

    folder: Path
    address: str
    settings: dict[str, Any]

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.host = f"{self.address}:{free_port()}"
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._config = self.folder / "config.yml"
        self._config.write_text(
            yaml.safe_dump(
                {
                    "version": "0.1",
                    "log": {"level": "error", "accesslog": {"disabled": False}},
                    "http": {"addr": self.host},
                    **self.settings,
                }
            )
        )

    def open(self) -> None:
        program = shutil.which("docker-registry")
        assert program is not None, "there is no docker-registry: run the tests with `make test`"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [program, "serve", self._config], stdout=log, stderr=subprocess.STDOUT
            )
        until = time.monotonic() + START_SECONDS
        host, _, port = self.host.partition(":")
        while time.monotonic() < until:
            assert self._process.poll() is None, self._log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(self._log.read_text())

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def asked(self) -> list[str]:
        """The methods of all requests so far, in order."""
        lines = self._log.read_text().splitlines()
        return [line.partition('] "')[2].split()[0] for line in lines if " HTTP/1.1" in line]

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class Files:
    """A server of the store's files, for as long as it is entered."""

    folder: Path
    address: str

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()

    @property
    def url(self) -> str:
        """As those who pull reach it."""
        return f"http://{FILES_NAME}:{self.port}"

    def __enter__(self) -> Self:
        handler = partial(QuietFiles, directory=str(self.folder))
        self._server = ThreadingHTTPServer((self.address, self.port), handler)
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class QuietFiles(SimpleHTTPRequestHandler):
    """Says nothing of what it serves."""

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def doors(folder: Path, address: str, files: Files) -> tuple[Door, Door]:
    """The door of those who push, and the one of those who pull."""
    password = folder / "htpasswd"
    password.write_text(HTPASSWD)
    store: dict[str, Any] = {"filesystem": {"rootdirectory": str(files.folder)}}
    basic = {"htpasswd": {"realm": "models", "path": str(password)}}
    redirect = {"name": "redirect", "options": {"baseurl": files.url}}
    readonly = {"maintenance": {"readonly": {"enabled": True}}}
    return (
        Door(folder / "push", address, {"storage": store, "auth": basic}),
        Door(
            folder / "pull",
            address,
            {"storage": store | readonly, "middleware": {"storage": [redirect]}},
        ),
    )


def manifest(door: Door, repository: str, tag: str) -> httpx.Response:
    """What a tag stands for, as Ollama asks for it."""
    return httpx.get(
        f"http://{door.host}/v2/{repository}/manifests/{tag}",
        headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
    )


def layer(door: Door, repository: str, layers: Sequence[dict[str, Any]], media_type: str) -> bytes:
    """The content of the one layer of a type."""
    (digest,) = [each["digest"] for each in layers if each["mediaType"] == media_type]
    sent = httpx.get(f"http://{door.host}/v2/{repository}/blobs/{digest}")
    assert sent.status_code == 307
    # The name is known to those who pull alone.
    found = httpx.get(sent.headers["Location"].replace(FILES_NAME, door.address))
    found.raise_for_status()
    return found.content
