"""The engine as the tests see it: what is there, and what was started since."""

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import docker
import pytest

from plan import labels
from plan.host import HostFacts
from plan.image import ImagesPlan
from planning.images import plan_images
from runtime import damage
from stack_configs.settings.loader import parse_settings
from tests.integration.browser import Browser
from tests.integration.stack import LABEL, PROJECT, Stack

IMAGES_LOCK = "images.lock"
EVENT_SECONDS = 1
"""Within which an event has arrived for sure."""


class Engine:
    """The real engine. Without one the tests fail: there is nothing that they could show."""

    def __init__(self) -> None:
        self.client = docker.from_env(timeout=60)
        self.client.ping()
        # Listened to as they come: the engine remembers 256 events, which health checks fill soon.
        self._starts: list[dict[str, Any]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def containers(self, stack: Stack) -> dict[str, Any]:
        found = self.client.containers.list(
            all=True, filters={"label": self._label(stack)}, ignore_removed=True
        )
        return {str(container.name): container for container in found}

    def volumes(self, stack: Stack) -> set[str]:
        found = self.client.volumes.list(filters={"label": self._label(stack)})
        return {volume.name for volume in found}

    def networks(self, stack: Stack) -> set[str]:
        found = self.client.networks.list(filters={"label": self._label(stack)})
        return {str(network.name) for network in found}

    def started_since(self, stack: Stack, moment: float) -> list[str]:
        """Names of the stack's containers that were started since, in order.

        Those that hold artefacts against their sums are not counted: see `checks_since`.
        """
        return [
            attributes["name"]
            for attributes in self._started(stack, moment)
            if attributes.get(labels.STEP) != damage.STEP
        ]

    def checks_since(self, stack: Stack, moment: float) -> int:
        """How often artefacts were held against their sums."""
        steps = [attributes.get(labels.STEP) for attributes in self._started(stack, moment)]
        return steps.count(damage.STEP)

    def _started(self, stack: Stack, moment: float) -> list[dict[str, str]]:
        time.sleep(EVENT_SECONDS)
        return [
            event["Actor"]["Attributes"]
            for event in list(self._starts)
            if event["timeNano"] / 1e9 >= moment
            and event["Actor"]["Attributes"].get(LABEL) == stack.physical_name
        ]

    @property
    def host_address(self) -> str:
        """This machine's address, as containers on any network of the engine reach it."""
        (bridge,) = self.client.networks.get("bridge").attrs["IPAM"]["Config"]
        return str(bridge.get("Gateway") or next(ip_network(bridge["Subnet"]).hosts()))

    def _listen(self) -> None:
        events = docker.from_env(timeout=cast(int, None)).events(
            filters={"type": "container", "event": "start"}, decode=True
        )
        for event in events:
            self._starts.append(event)

    @contextmanager
    def converged(self, stack: Stack) -> Iterator[None]:
        """A stack after its one up; taken away at the end."""
        try:
            update = stack.up()
            assert update.returncode == 0, update.output
            yield
        finally:
            stack.abandon()
            self.remove_everything_of(stack)

    def remove_everything_of(self, stack: Stack) -> None:
        """What a failed test left on the engine, retained volumes too."""
        for container in self.containers(stack).values():
            container.remove(force=True)
        for volume in self.volumes(stack):
            self.client.volumes.get(volume).remove(force=True)
        for network in self.networks(stack):
            self.client.networks.get(network).remove()

    @staticmethod
    def _label(stack: Stack) -> str:
        return f"{LABEL}={stack.physical_name}"


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("stack") / "home")
    try:
        yield made
    finally:
        made.abandon()
        engine.remove_everything_of(made)


@pytest.fixture(scope="session", autouse=True)
def images(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> ImagesPlan:
    """The demo's images, which are there: whichever test is the first, on any machine.

    Two stacks that build one image at the same time would each find it built again by the other.
    """
    folder = tmp_path_factory.mktemp("images")
    # Tests that run side by side build them once.
    with (folder.parent.parent / IMAGES_LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stack = Stack(folder / "home")
        try:
            made = stack.up(targets=["pipeline", "*-host-check*", "*-images*"])
            assert made.returncode == 0, made.output
        finally:
            stack.abandon()
    settings = parse_settings(stack.settings, directory=PROJECT, source="images.yaml")
    plan = plan_images(settings, HostFacts())
    for each in plan.all:
        engine.client.images.get(each.reference)
    return plan


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A place for a stack that lives for one test."""
    return tmp_path / "home"
