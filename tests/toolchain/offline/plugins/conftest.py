"""The plugins as processes, the engine, and objects that are gone when a test is over."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from tests.toolchain.offline.plugins.plugin_client import LogListener, Managed, PluginProcess
from toolchain.offline.plugins.install import STAND_INS, install_plugins

TEST_IMAGE = os.environ.get("FINETUNE_TEST_IMAGE", "debian:trixie-slim")


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    try:
        client.ping()
    except DockerException as error:
        pytest.fail(f"the contract tests need a Docker engine, and none answers: {error}")
    yield client
    client.close()


@pytest.fixture(scope="session")
def test_image(engine: docker.DockerClient) -> str:
    try:
        engine.images.get(TEST_IMAGE)
    except ImageNotFound:
        pytest.fail(
            f"the contract tests need the image {TEST_IMAGE} in the engine; "
            "`make test` puts it there, FINETUNE_TEST_IMAGE names another"
        )
    return TEST_IMAGE


@pytest.fixture(scope="session")
def plugin_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin cache: the stand-ins', or the one whose official plugins are to be held to this."""
    official = os.environ.get("FINETUNE_OFFICIAL_PLUGINS")
    if official:
        return Path(official)
    home = tmp_path_factory.mktemp("pulumi-home")
    install_plugins(home, Path(sys.executable))
    return home


@pytest.fixture(scope="session")
def log() -> Iterator[LogListener]:
    listener = LogListener()
    yield listener
    listener.close()


@pytest.fixture(scope="session")
def start(plugin_home: Path, log: LogListener) -> Callable[..., PluginProcess]:
    executables = {stand_in.name: stand_in.executable(plugin_home) for stand_in in STAND_INS}

    def started(name: str, **environment: str) -> PluginProcess:
        return PluginProcess(executables[name], log.address, **environment)

    return started


@pytest.fixture(scope="session")
def docker_plugin(start: Callable[..., PluginProcess]) -> Iterator[PluginProcess]:
    plugin = start("docker")
    plugin.configure()
    yield plugin
    complaints = plugin.complaints()
    plugin.close()
    assert complaints == ""


@pytest.fixture(scope="session")
def command_plugin(start: Callable[..., PluginProcess]) -> Iterator[PluginProcess]:
    plugin = start("command")
    plugin.configure()
    yield plugin
    complaints = plugin.complaints()
    plugin.close()
    assert complaints == ""


@dataclass
class Names:
    """Names for engine objects that no other run uses."""

    prefix: str

    def __call__(self, role: str) -> str:
        return f"{self.prefix}-{role}"


@pytest.fixture
def names(engine: docker.DockerClient) -> Iterator[Names]:
    found = Names(f"fts-test-{secrets.token_hex(4)}")
    try:
        yield found
    finally:
        # By the plain lists: others' objects may go while they are looked at.
        for container in engine.api.containers(all=True, filters={"name": found.prefix}):
            engine.api.remove_container(container["Id"], force=True, v=True)
        for network in engine.networks.list(names=[found.prefix]):
            network.remove()
        for volume in engine.volumes.list(filters={"name": found.prefix}):
            volume.remove(force=True)
        for image in engine.api.images():
            for tag in image["RepoTags"] or []:
                if tag.startswith(found.prefix):
                    engine.api.remove_image(tag, force=True)


@pytest.fixture
def resource(docker_plugin: PluginProcess) -> Callable[[str, str], Managed]:
    tokens = {
        "volume": "docker:index/volume:Volume",
        "network": "docker:index/network:Network",
        "remote image": "docker:index/remoteImage:RemoteImage",
        "image": "docker:index/image:Image",
        "container": "docker:index/container:Container",
    }

    def managed(kind: str, name: str) -> Managed:
        return Managed(docker_plugin.stub, tokens[kind], name)

    return managed


@pytest.fixture
def command(command_plugin: PluginProcess) -> Callable[[str], Managed]:
    def managed(name: str) -> Managed:
        return Managed(command_plugin.stub, "command:local:Command", name)

    return managed
