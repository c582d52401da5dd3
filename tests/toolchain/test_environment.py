"""Folders, settings and the passphrase."""

import stat
from pathlib import Path

import pytest

from toolchain.environment import ensure_state, pulumi_environment, pulumi_settings
from toolchain.places import places_from


def test_folders_follow_xdg_and_the_projects_own_variables(tmp_path: Path) -> None:
    default = places_from({"HOME": "/home/u"})
    assert default.cache == Path("/home/u/.cache/finetune-stack")
    assert default.state == Path("/home/u/.local/state/finetune-stack")
    assert default.backend_url == "file:///home/u/.local/state/finetune-stack"

    xdg = places_from({"HOME": "/home/u", "XDG_CACHE_HOME": "/c", "XDG_STATE_HOME": "/s"})
    assert (xdg.cache, xdg.state) == (Path("/c/finetune-stack"), Path("/s/finetune-stack"))

    own = places_from({"HOME": "/home/u", "FINETUNE_CACHE": "/big", "FINETUNE_STATE": "/kept"})
    assert (own.cache, own.state, own.backend_url) == (Path("/big"), Path("/kept"), "file:///kept")


def test_the_plugin_cache_is_the_projects_own() -> None:
    places = places_from({"HOME": "/home/u"})

    assert places.pulumi_home == places.repository / ".pulumi-home"


def test_the_virtual_environment_and_the_cli_come_first_on_path() -> None:
    places = places_from({"HOME": "/home/u"})

    environment = pulumi_environment(places, Path("/cli"), {"PATH": "/usr/bin:/cli:/bin", "X": "1"})

    assert environment["PATH"] == f"{places.venv}/bin:/cli:/usr/bin:/bin"
    assert environment["X"] == "1"
    assert environment["PULUMI_SKIP_UPDATE_CHECK"] == "true"


@pytest.mark.parametrize(
    "own", [{"PULUMI_CONFIG_PASSPHRASE": ""}, {"PULUMI_CONFIG_PASSPHRASE_FILE": "/mine"}]
)
def test_the_operators_backend_and_passphrase_stay(own: dict[str, str], tmp_path: Path) -> None:
    caller = {"HOME": str(tmp_path), "PULUMI_BACKEND_URL": "s3://bucket", **own}
    places = places_from(caller)

    settings = pulumi_settings(places, Path("/cli"), caller)
    ensure_state(places, caller)

    assert settings["PULUMI_BACKEND_URL"] == "s3://bucket"
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in settings
    assert places.local_backend is None
    assert not places.passphrase.exists()


def test_the_passphrase_is_random_private_and_kept(tmp_path: Path) -> None:
    places = places_from({"HOME": str(tmp_path)})
    other = places_from({"HOME": str(tmp_path / "other")})

    ensure_state(places, {})
    first = places.passphrase.read_text()
    ensure_state(places, {})
    ensure_state(other, {})

    assert places.passphrase.read_text() == first
    assert other.passphrase.read_text() != first
    assert len(first.strip()) >= 32
    assert stat.S_IMODE(places.passphrase.stat().st_mode) == 0o600
    assert stat.S_IMODE(places.state.stat().st_mode) == 0o700


def test_a_file_backend_elsewhere_is_made(tmp_path: Path) -> None:
    caller = {"HOME": str(tmp_path), "PULUMI_BACKEND_URL": f"file://{tmp_path}/shared"}

    ensure_state(places_from(caller), caller)

    assert (tmp_path / "shared").is_dir()
