"""Entry point of the `docker` plugin."""

from __future__ import annotations

from toolchain.offline.plugins.docker_plugin.docker_provider import DockerProvider
from toolchain.offline.plugins.server import serve


def main(arguments: list[str]) -> None:
    """Serve until Pulumi ends the process."""
    serve(DockerProvider(), arguments)
