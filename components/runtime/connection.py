"""Sockets to a Docker engine: on this host, over TCP, over TLS, over ssh."""

import os
import socket
import subprocess
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from components.runtime.failure import EngineUnreachableError

LOCAL = "unix:///var/run/docker.sock"
CONNECT_SECONDS = 20
TCP_PORT, TLS_PORT = 2375, 2376


def engine_address(configured: str | None) -> str:
    """The configured engine, else DOCKER_HOST, else the local socket."""
    return configured or os.environ.get("DOCKER_HOST") or LOCAL


def is_local(address: str) -> bool:
    """Whether the engine runs on this host, so that its ports and disks can be looked at here."""
    return address.startswith("unix://")


def open_socket(address: str) -> socket.socket:
    """A connected socket that speaks HTTP to the engine.

    Raises `EngineUnreachableError` when nothing answers there.
    """
    url = urlsplit(address)
    try:
        match url.scheme:
            case "unix":
                return _unix(url.path)
            case "tcp" | "http" | "https":
                return _tcp(url)
            case "ssh":
                return _ssh(url)
            case _:
                raise EngineUnreachableError(
                    f"{address!r} is no address of a Docker engine",
                    "Use unix://PATH, tcp://HOST:PORT or ssh://USER@HOST",
                )
    except OSError as error:
        raise nobody_there(address, error) from error


def nobody_there(address: str, error: Exception) -> EngineUnreachableError:
    """The error for an address where no engine answers."""
    return EngineUnreachableError(
        f"no Docker engine answers at {address} ({str(error) or type(error).__name__})",
        "Start it (`systemctl start docker`), or set host.engine or DOCKER_HOST to where one runs",
    )


def _unix(path: str) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connected.settimeout(CONNECT_SECONDS)
    try:
        connected.connect(path)
    except OSError:
        connected.close()
        raise
    return connected


def _tcp(url: SplitResult) -> socket.socket:
    secure = url.scheme == "https" or bool(os.environ.get("DOCKER_TLS_VERIFY"))
    host = url.hostname or "localhost"
    port = url.port or (TLS_PORT if secure else TCP_PORT)
    plain = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
    return _tls(plain, host) if secure else plain


def _tls(plain: socket.socket, host: str) -> socket.socket:
    # Imported here: most engines are local and every millisecond of a start counts.
    import ssl  # noqa: PLC0415

    folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context.wrap_socket(plain, server_hostname=host)


def _ssh(url: SplitResult) -> socket.socket:
    """A tunnel through the ssh client, as the docker client makes it."""
    ours, theirs = socket.socketpair()
    user = ["-l", url.username] if url.username else []
    port = ["-p", str(url.port)] if url.port else []
    # BatchMode: a question for a password would wait for ever behind `pulumi up`.
    # A session of its own: Ctrl-C must not take the tunnel away before the last message.
    options = ["-T", "-o", f"ConnectTimeout={CONNECT_SECONDS}", "-o", "BatchMode=yes"]
    with theirs:
        subprocess.Popen(
            ["ssh", *options, *user, *port, "--", url.hostname or "", "docker system dial-stdio"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            start_new_session=True,
        )
    return ours
