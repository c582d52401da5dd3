"""How a step completes: with one rename, inside its container, whoever watches."""

import hashlib
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


def complete(runs: Path, *commands: str, known_sums: str | None = None) -> int:
    volume = PurePosixPath(runs.parent)
    command = then_complete("abc", *commands, volume=volume, known_sums=known_sums)
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


def test_it_takes_the_sums_of_its_files_with_it(runs: Path, tmp_path: Path) -> None:
    folder, cached = runs / "abc.partial", tmp_path / "cache/weights"
    cached.parent.mkdir()
    cached.write_text("fetched")
    (folder / "deep").mkdir()
    (folder / "deep/odd name\nof two lines").write_text("")
    (folder / paths.MARKER).write_text("{}")
    (folder / "known").write_text(f"{hashlib.sha256(b'fetched').hexdigest()}  {cached}\n")
    # What a run that was killed here had written.
    (folder / paths.SUMS).write_text("cut off")
    assert complete(runs, "true", known_sums="known") == 0
    sums = (runs / "abc" / paths.SUMS).read_text()
    assert sums.splitlines()[-1] == paths.SUMS_END
    assert len(sums.splitlines()) == 5
    assert paths.MARKER not in sums
    check = ["sha256sum", "--check", "--strict", "--quiet", paths.SUMS]
    assert subprocess.run(check, cwd=runs / "abc", check=False).returncode == 0
    cached.write_text("other")
    assert subprocess.run(check, cwd=runs / "abc", check=False).returncode == 1


def test_the_same_files_have_the_same_sums(runs: Path) -> None:
    for name in "zyxwvu":
        (runs / "abc.partial" / name).write_text(name)
    assert complete(runs, "true") == 0
    sums = (runs / "abc" / paths.SUMS).read_text()
    (runs / "abc").rename(runs / "abc.partial")
    assert complete(runs, "true") == 0
    assert (runs / "abc" / paths.SUMS).read_text() == sums


def test_work_that_failed_keeps_its_first_name(runs: Path) -> None:
    assert complete(runs, "false", "true") != 0
    assert [path.name for path in runs.iterdir()] == ["abc.partial"]
