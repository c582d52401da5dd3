"""What each subcommand sets up, and that those that only look set up nothing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from toolchain.__main__ import leaves_engine_out
from toolchain.places import REPOSITORY


@pytest.mark.parametrize(
    ("arguments", "left_out"),
    [
        (["-m", "not engine"], True),
        (["-mnot engine"], True),
        (["-q", "-m", "not engine and not integration", "tests/toolchain"], True),
        (["-m", "not engine or integration"], False),
        (["-m", "engine"], False),
        (["-k", "not engine"], False),
        ([], False),
    ],
)
def test_an_engine_is_set_up_unless_every_test_does_without(
    arguments: list[str], left_out: bool
) -> None:
    assert leaves_engine_out(arguments) is left_out


def make(target: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A make of the project as it is here, for a user who has nothing yet."""
    return subprocess.run(
        ["make", "-s", target],
        cwd=folder,
        env={"HOME": str(folder / "home"), "PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def everything(folder: Path) -> list[Path]:
    """All files, but for what Python keeps of the modules that it has read."""
    return sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The project without its virtual environment and plugins, as it is after a clone."""
    (tmp_path / "home").mkdir()
    for name in ("Makefile", "Pulumi.yaml", "Pulumi.demo.yaml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    for name in ("plan", "planning", "runtime", "stack_configs", "toolchain"):
        shutil.copytree(
            REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


@pytest.mark.parametrize("target", ["preview", "report", "verify", "usage", "prune"])
def test_what_only_looks_says_on_a_bare_host_what_setup_would_do(bare: Path, target: str) -> None:
    before = everything(bare)

    done = make(target, bare)

    assert done.returncode != 0
    assert f"{target} installs nothing" in done.stderr
    assert "`make setup` makes .venv" in done.stderr
    assert everything(bare) == before


def test_preview_without_cli_plugins_and_engine_names_them_all(bare: Path) -> None:
    (bare / ".venv").symlink_to(REPOSITORY / ".venv")
    before = everything(bare)

    done = make("preview", bare, PATH="/usr/bin:/bin", DOCKER_HOST="tcp://127.0.0.1:9")

    assert done.returncode != 0
    for missing in ("pulumi 3", "plugin docker", "plugin command", "DOCKER_HOST is tcp://127"):
        assert missing in done.stderr
    assert everything(bare) == before


def test_doctor_of_a_bare_host_changes_nothing(bare: Path) -> None:
    before = everything(bare)

    done = make("doctor", bare, PATH="/usr/bin:/bin", DOCKER_HOST="tcp://127.0.0.1:9")

    assert done.returncode != 0
    assert "setup makes .venv from uv.lock" in done.stdout
    assert "`make setup` does what the table says" in done.stdout
    assert everything(bare) == before
