"""A preloaded library: found by globs where the command runs, and nothing else is changed (F5)."""

import subprocess
from pathlib import Path

from plan.preload import preloading

SHOWN = ("sh", "-c", 'echo "$LD_PRELOAD|$1"', "shown", "a  'b'")
"""A command that says what is preloaded, and its last word as it came."""


def said(command: tuple[str, ...]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_first_library_that_is_there_is_preloaded(tmp_path: Path):
    (tmp_path / "libgomp-1.so").symlink_to(next(Path("/usr/lib").rglob("libm.so.6")))
    pattern = f"{tmp_path}/none/*.so {tmp_path}/libgomp*.so"
    assert said(preloading(SHOWN, pattern)) == f"{tmp_path}/libgomp-1.so|a  'b'"


def test_without_one_the_command_runs_as_it_is(tmp_path: Path):
    assert said(preloading(SHOWN, f"{tmp_path}/*.so")) == "|a  'b'"


def test_nothing_is_preloaded_before_it_is_called_for(tmp_path: Path):
    (tmp_path / "libgomp-1.so").symlink_to(next(Path("/usr/lib").rglob("libm.so.6")))
    command = preloading(SHOWN, f"{tmp_path}/*.so", where=str(tmp_path / "preload"))
    assert said(command).startswith("|")
    (tmp_path / "preload").touch()
    assert said(command).startswith(f"{tmp_path}/libgomp-1.so|")
