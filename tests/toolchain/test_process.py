"""Programs, their errors, and one setup at a time."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from toolchain import process
from toolchain.__main__ import main
from toolchain.errors import CommandError, ToolchainError
from toolchain.lock import exclusive
from toolchain.places import REPOSITORY
from toolchain.progress import Step


def test_stdout_comes_back_and_every_line_is_watched() -> None:
    lines: list[str] = []

    output = process.run(["sh", "-c", "echo out; echo err >&2"], watch=lines.append)

    assert output == "out\n"
    assert sorted(lines) == ["err", "out"]


def test_a_failure_names_the_step_and_quotes_the_end() -> None:
    script = "for i in $(seq 40); do echo line $i; done; exit 3"

    with pytest.raises(CommandError) as caught:
        process.run(["sh", "-c", script], title="counting")

    text = str(caught.value)
    assert text.startswith("counting: failed with exit status 3")
    assert "line 40" in text
    assert "line 25" not in text


def test_a_missing_program_is_no_trace() -> None:
    with pytest.raises(ToolchainError, match="no-such-program is not installed"):
        process.run(["no-such-program"], title="trying")


def test_follow_returns_the_exit_status() -> None:
    assert process.follow(["sh", "-c", "exit 7"]) == 7


def test_root_needs_no_sudo_and_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert process.as_root(["id"], uid=0) == ["id"]

    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/sudo")
    assert process.as_root(["id"], uid=1000) == ["sudo", "id"]

    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(ToolchainError, match="'id' needs root, and there is no sudo here"):
        process.as_root(["id"], uid=1000)


def test_a_second_setup_waits_for_the_first(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from toolchain.lock import exclusive\n"
        "with exclusive(pathlib.Path(sys.argv[1])):\n"
        "    print('in', flush=True)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with exclusive(tmp_path):
        second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
        assert second.stdout is not None
        assert "Waiting for another setup" in second.stdout.readline()
        assert second.poll() is None
    with second:
        assert second.stdout.read() == "in\n"


def test_a_step_without_a_terminal_is_heard_of(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolchain.progress.QUIET_SECONDS", 0.01)
    with Step("Doing") as step:
        step.update("half-way")
        process.run(["sleep", "0.2"])

    printed = capsys.readouterr().out
    assert printed.startswith("==> Doing\n")
    assert "half-way" in printed


def test_an_operators_mistake_is_a_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    assert main(["env"]) == 1

    assert capsys.readouterr().err == (
        "error: there is no Pulumi CLI yet: run `make setup` first\n"
    )


def test_only_pytest_takes_other_arguments() -> None:
    with pytest.raises(SystemExit):
        main(["doctor", "--verbose"])


def test_down_without_a_stack_sets_nothing_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FINETUNE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)

    assert main(["down"]) == 0

    assert "nothing to destroy" in capsys.readouterr().out
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "cache").exists()
