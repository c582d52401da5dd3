"""The images that the stack's Dockerfiles start from: present, pulled, or made by debootstrap."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from enum import Enum, auto
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound

from toolchain.apt import apt_install
from toolchain.engine_client import connect
from toolchain.errors import ToolchainError
from toolchain.lock import exclusive
from toolchain.offline.rootfs import make_rootfs
from toolchain.places import Places
from toolchain.progress import Step, say

DEFAULT_IMAGES = ("debian:trixie-slim",)
LABEL = "finetune-stack"
"""On the base image made here, so that `make down CLEAN=1` knows it from one that was pulled."""

PULL_SILENCE_SECONDS = 20
"""A registry that cannot be reached is given up when the engine says nothing for this long."""


class ImageRoute(Enum):
    """Where a base image comes from."""

    PRESENT = auto()
    PULL = auto()
    PULL_OR_DEBOOTSTRAP = auto()


def debian_suite(image: str) -> str | None:
    """Return the suite of an image that debootstrap can make: `debian:<suite>-slim`."""
    found = re.fullmatch(r"debian:([a-z]+)-slim", image)
    return found.group(1) if found else None


def choose_image_route(image: str, *, present: bool) -> ImageRoute:
    """Decide from the facts alone."""
    if present:
        return ImageRoute.PRESENT
    return ImageRoute.PULL if debian_suite(image) is None else ImageRoute.PULL_OR_DEBOOTSTRAP


def ensure_base_images(places: Places, host: str, images: Sequence[str] = DEFAULT_IMAGES) -> None:
    """Make sure that this host's own engine has every base image."""
    with connect(host) as client:
        for image in images:
            _ensure(places, host, client, image)


def image_present(client: docker.DockerClient, image: str) -> bool:
    """Tell whether the engine has the image."""
    try:
        client.images.get(image)
    except ImageNotFound:
        return False
    return True


def _ensure(places: Places, host: str, client: docker.DockerClient, image: str) -> None:
    route = choose_image_route(image, present=image_present(client, image))
    if route is ImageRoute.PRESENT:
        return
    reason = _pull(host, image)
    if reason is None:
        return
    suite = debian_suite(image)
    if suite is None:
        msg = (
            f"the base image {image} could not be pulled ({reason}). Set a registry mirror for the "
            "engine, choose a base image that can be reached, or load this one with `docker load`."
        )
        raise ToolchainError(msg)
    say(f"{image} could not be pulled ({reason}); making it with debootstrap instead")
    with exclusive(places.cache / "rootfs"):
        archive = places.cache / "rootfs" / f"{suite}-{_architecture(client)}.tar"
        if not archive.exists():
            _install_debootstrap(places)
            make_rootfs(suite, archive)
        _import(client, archive, image)


def _pull(host: str, image: str) -> str | None:
    """Pull, and return why it did not work."""
    repository, _, tag = image.rpartition(":")
    try:
        with connect(host, PULL_SILENCE_SECONDS) as client, Step(f"Pulling {image}") as step:
            for event in client.api.pull(repository, tag=tag, stream=True, decode=True):
                if "error" in event:
                    return _short(event["error"])
                step.update(f"{event.get('id', '')} {event.get('status', '')}")
    except (APIError, OSError) as error:
        return _short(str(error))
    return None


def _import(client: docker.DockerClient, archive: Path, image: str) -> None:
    repository, _, tag = image.rpartition(":")
    changes = ['CMD ["bash"]', f'LABEL {LABEL}="base"']
    with Step(f"Importing {archive.name} as {image}"):
        answer: Any = client.api.import_image_from_file(
            str(archive), repository=repository, tag=tag, changes=changes
        )
        if not image_present(client, image):
            msg = f"the engine did not take {archive} as {image}: {_short(str(answer))}"
            raise ToolchainError(msg)


def _install_debootstrap(places: Places) -> None:
    missing = []
    if shutil.which("debootstrap", path="/usr/sbin:/sbin:/usr/bin") is None:
        missing.append("debootstrap")
    # An Ubuntu host does not know Debian's keys.
    if not Path("/usr/share/keyrings/debian-archive-keyring.gpg").exists():
        missing.append("debian-archive-keyring")
    if missing:
        apt_install(places, missing, "The Debian base image is made on this host")


def _architecture(client: docker.DockerClient) -> str:
    return str(client.version().get("Arch", "amd64"))


def _short(text: str) -> str:
    return " ".join(text.split())[:200]
