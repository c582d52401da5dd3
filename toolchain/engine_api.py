"""Questions to a Docker engine, with the standard library alone.

`make doctor` answers on a host where nothing is installed yet, so the docker SDK is not used here.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DEFAULT_HOST = "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class EngineInfo:
    """What an engine says about itself."""

    version: str
    data_root: Path
    runtimes: tuple[str, ...]
    name: str
    containers_running: int


def engine_host(environ: Mapping[str, str] = os.environ) -> str:
    """Return the engine's address as every Docker client finds it."""
    return environ.get("DOCKER_HOST") or DEFAULT_HOST


def ask_engine(host: str, timeout: float = 5.0) -> EngineInfo | None:
    """Return what the engine says, or nothing where none answers."""
    if host.startswith("ssh://"):
        return _ask_over_ssh(host)
    try:
        info = get_json(host, "/info", timeout)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    return _read(info)


def get_json(host: str, path: str, timeout: float) -> dict[str, Any]:
    """Read one answer of the engine's API."""
    connection = _connection(host, timeout)
    try:
        connection.request("GET", path, headers={"Host": "docker"})
        response = connection.getresponse()
        if response.status != http.client.OK:
            msg = f"{host}{path} answered {response.status}"
            raise ValueError(msg)
        answer: dict[str, Any] = json.load(response)
        return answer
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(host: str, timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(host)
    if parts.scheme == "unix":
        return _UnixConnection(parts.path, timeout)
    if os.environ.get("DOCKER_TLS_VERIFY"):
        msg = "an engine with client certificates is asked through the docker SDK"
        raise OSError(msg)
    return http.client.HTTPConnection(parts.hostname or "", parts.port or 2375, timeout=timeout)


def _ask_over_ssh(host: str) -> EngineInfo | None:
    # The docker SDK is part of .venv; without it an engine behind ssh cannot be asked yet.
    try:
        import docker  # noqa: PLC0415
    except ImportError:
        return None
    try:
        client = docker.DockerClient(base_url=host, use_ssh_client=True, timeout=20)
        return _read(client.info())
    except Exception:
        return None


def _read(info: Mapping[str, Any]) -> EngineInfo:
    return EngineInfo(
        version=str(info.get("ServerVersion", "")),
        data_root=Path(str(info.get("DockerRootDir", "/var/lib/docker"))),
        runtimes=tuple(sorted(info.get("Runtimes") or {})),
        name=str(info.get("OperatingSystem", "")),
        containers_running=int(info.get("ContainersRunning", 0)),
    )
