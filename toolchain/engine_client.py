"""A client of the docker SDK for any engine that the Docker CLI reaches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import docker
from docker.errors import DockerException

from toolchain.errors import ToolchainError
from toolchain.ssh_relay import SshRelay


@contextmanager
def connect(host: str, timeout: int = 60) -> Iterator[docker.DockerClient]:
    """Give a client for the engine at unix://, tcp:// or ssh://."""
    with ExitStack() as stack:
        # The SDK's own way through ssh needs a library besides.
        if host.startswith("ssh://"):
            environment = {"DOCKER_HOST": stack.enter_context(SshRelay(host)).address}
        else:
            environment = {**os.environ, "DOCKER_HOST": host}
        try:
            client = docker.from_env(timeout=timeout, environment=environment)
        except DockerException as error:
            msg = f"no Docker engine answers at {host}: {error}"
            raise ToolchainError(msg) from error
        yield stack.enter_context(closing(client))
