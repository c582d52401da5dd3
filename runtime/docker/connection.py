"""Where an engine is, and the way to one behind ssh."""

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

LOCAL = "unix:///var/run/docker.sock"
CONNECT_SECONDS = 20


def engine_address(configured: str | None) -> str:
    """The configured engine, else DOCKER_HOST, else the local socket."""
    return configured or os.environ.get("DOCKER_HOST") or LOCAL


def is_local(address: str) -> bool:
    """Whether the engine runs on this host, so that its ports and disks can be looked at here."""
    return address.startswith("unix://")


class SshRelay:
    """A socket here whose connections go through the ssh client, as the docker client's do.

    The docker SDK's own way needs paramiko, which does not read all of an operator's ssh settings.
    """

    def __init__(self, address: str) -> None:
        self._command = ssh_command(address)
        self._folder = tempfile.TemporaryDirectory(prefix="docker-ssh-")
        path = Path(self._folder.name) / "docker.sock"
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen()
        self.address = f"unix://{path}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        self._server.close()
        self._folder.cleanup()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                with connection:
                    # A session of its own: Ctrl-C must not take the tunnel away before the last
                    # message.
                    subprocess.Popen(
                        self._command,
                        stdin=connection.fileno(),
                        stdout=connection.fileno(),
                        start_new_session=True,
                    )


def ssh_command(address: str) -> list[str]:
    """The argv for one connection to an `ssh://[user@]host[:port]` engine."""
    url = urlsplit(address)
    user = ["-l", url.username] if url.username else []
    port = ["-p", str(url.port)] if url.port else []
    # BatchMode: a question for a password would wait for ever behind `pulumi up`.
    options = ["-T", "-o", f"ConnectTimeout={CONNECT_SECONDS}", "-o", "BatchMode=yes"]
    return ["ssh", *options, *user, *port, "--", url.hostname or "", "docker system dial-stdio"]
