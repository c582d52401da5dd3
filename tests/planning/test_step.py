"""How a step completes: with one rename, inside its container, whoever watches."""

import subprocess
from pathlib import Path, PurePosixPath

import pytest

from plan import paths
from planning.step import then_complete


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of the artefacts', with work of identity `abc` in it."""
    monkeypatch.setattr(paths, "RUNS", PurePosixPath(tmp_path))
    (tmp_path / "abc.partial").mkdir()
    (tmp_path / "abc.partial/weights").write_text("ours")
    return tmp_path


@pytest.mark.parametrize("other_was_quicker", [False, True])
def test_one_artefact_is_left_whoever_was_quicker(runs: Path, other_was_quicker: bool) -> None:
    if other_was_quicker:
        (runs / "abc").mkdir()
        (runs / "abc/weights").write_text("theirs")
    subprocess.run(then_complete("abc", "true"), check=True)
    assert [path.name for path in runs.iterdir()] == ["abc"]
    left = (runs / "abc/weights").read_text()
    assert left == ("theirs" if other_was_quicker else "ours")


def test_work_that_failed_keeps_its_first_name(runs: Path) -> None:
    done = subprocess.run(then_complete("abc", "false", "true"), check=False)
    assert done.returncode != 0
    assert [path.name for path in runs.iterdir()] == ["abc.partial"]
