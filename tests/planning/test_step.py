"""How a step completes: with one rename, inside its container, whoever watches."""

import subprocess
from pathlib import Path, PurePosixPath

import pytest

from plan import paths
from planning.step import then_complete


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A volume's folder of artefacts, with work of identity `abc` in it."""
    folder = Path(paths.partial("abc", PurePosixPath(tmp_path)))
    folder.mkdir(parents=True)
    (folder / "weights").write_text("ours")
    return folder.parent


def complete(runs: Path, *commands: str) -> int:
    command = then_complete("abc", *commands, volume=PurePosixPath(runs.parent))
    return subprocess.run(command, check=False).returncode


@pytest.mark.parametrize("other_was_quicker", [False, True])
def test_one_artefact_is_left_whoever_was_quicker(runs: Path, other_was_quicker: bool) -> None:
    if other_was_quicker:
        (runs / "abc").mkdir()
        (runs / "abc/weights").write_text("theirs")
    assert complete(runs, "true") == 0
    assert [path.name for path in runs.iterdir()] == ["abc"]
    left = (runs / "abc/weights").read_text()
    assert left == ("theirs" if other_was_quicker else "ours")


def test_work_that_failed_keeps_its_first_name(runs: Path) -> None:
    assert complete(runs, "false", "true") != 0
    assert [path.name for path in runs.iterdir()] == ["abc.partial"]
