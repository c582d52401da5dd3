"""Where base images come from."""

from pathlib import Path

import pytest

from toolchain.offline import rootfs
from toolchain.offline.base_image import ImageRoute, choose_image_route, debian_suite


@pytest.mark.parametrize(
    ("image", "present", "route"),
    [
        ("debian:trixie-slim", True, ImageRoute.PRESENT),
        ("debian:trixie-slim", False, ImageRoute.PULL_OR_DEBOOTSTRAP),
        ("debian:latest", False, ImageRoute.PULL),
        ("nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04", False, ImageRoute.PULL),
    ],
)
def test_route(image: str, present: bool, route: ImageRoute) -> None:
    assert choose_image_route(image, present=present) is route


def test_only_plain_slim_images_of_debian_can_be_made() -> None:
    assert debian_suite("debian:bookworm-slim") == "bookworm"
    assert debian_suite("mirror.example/debian:trixie-slim") is None
    assert debian_suite("debian:trixie") is None


def test_the_image_gets_security_updates_from_the_same_mirror() -> None:
    text = rootfs.sources_list("trixie", "http://mirror.example/debian/")

    assert "Suites: trixie trixie-updates" in text
    assert "URIs: http://mirror.example/debian-security" in text
    assert text.count(f"Signed-By: {rootfs.KEYRING}") == 2


def test_an_old_debootstrap_uses_the_script_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rootfs, "SCRIPTS", tmp_path)
    assert rootfs.debootstrap_command("trixie", Path("/r"), "m")[-1] == str(tmp_path / "sid")

    (tmp_path / "trixie").touch()
    assert rootfs.debootstrap_command("trixie", Path("/r"), "m")[-3:] == ["trixie", "/r", "m"]
