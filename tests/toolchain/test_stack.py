"""What make does to a stack, by the real CLI, on a program that needs no plugin and no engine."""

import os
import shutil
from pathlib import Path

import pytest

from toolchain import stack, stack_config, stack_report
from toolchain.engine_choice import EngineChoice
from toolchain.environment import ensure_state, pulumi_settings
from toolchain.errors import ToolchainError
from toolchain.offline.plugins.install import install_analyzer
from toolchain.places import REPOSITORY, Places, places_from
from toolchain.teardown import tidy_up

PROGRAM = """\
import pulumi

config = pulumi.Config()
pulumi.export("smoke_answers", [{"prompt": "Who?", "answer": config.require("answer")}])
pulumi.export("ollama_url", "http://127.0.0.1:11434")
pulumi.export("token", pulumi.Output.secret("not to be seen"))
"""

UNRETAINED = """\
import pulumi


class Pipeline(pulumi.ComponentResource):
    def __init__(self) -> None:
        super().__init__("finetune-stack:index:FineTunePipeline", "pipeline")
        output = {"retain": False, "host_path": None}
        self.register_outputs({"settings": {"volumes": {"output": output}, "models": []}})


Pipeline()
pulumi.export("made", True)
"""
"""What the stack of a whole pipeline tells of an output volume that goes with it."""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(
        "name: finetune-stack\n"
        "runtime:\n  name: python\n  options:\n"
        f"    virtualenv: {REPOSITORY / '.venv'}\n"
    )
    (folder / "Pulumi.demo.yaml").write_text("config:\n  finetune-stack:answer: Me.\n")
    (folder / "__main__.py").write_text(PROGRAM)
    environ = {
        "HOME": str(tmp_path),
        "FINETUNE_STATE": str(tmp_path / "state"),
        "FINETUNE_CACHE": str(tmp_path / "cache"),
    }
    return places_from(environ, folder)


@pytest.fixture
def environment(places: Places) -> dict[str, str]:
    command = shutil.which("pulumi")
    assert command is not None, "there is no pulumi on PATH: run the tests with `make test`"
    caller = {"PATH": os.environ["PATH"], "HOME": str(places.state.parent)}
    ensure_state(places, caller)
    return {**caller, **pulumi_settings(places, Path(command).parent, caller)}


def everything(folder: Path) -> set[str]:
    """The files below, but for what Pulumi and Python write for themselves."""
    own = {".pulumi-home", "__pycache__"}
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*") if not own & set(path.parts)
    }


@pytest.mark.integration
class TestStack:
    def test_up_again_and_down(
        self,
        places: Places,
        environment: dict[str, str],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        committed = (places.repository / "Pulumi.demo.yaml").read_bytes()

        assert stack.up(places, "demo", environment) == 0

        first = capfd.readouterr()
        assert "Who?" in first.out
        assert "Me." in first.out
        assert "http://127.0.0.1:11434" in first.out
        assert "not to be seen" not in first.out + first.err
        assert "warning" not in (first.out + first.err).lower()
        assert (places.repository / "Pulumi.demo.yaml").read_bytes() == committed
        assert not list((places.repository).glob("Pulumi.*.yaml.bak"))
        state = places.state / ".pulumi" / "stacks" / "finetune-stack" / "demo.json"
        assert "not to be seen" not in state.read_text()

        # A lost copy gets its salt back from the state, and what is new in the committed file.
        stack_config.config_copy(places, "demo").unlink()
        (places.repository / "Pulumi.demo.yaml").write_bytes(committed.replace(b"Me.", b"You."))
        assert stack.preview(places, "demo", environment) == 0
        assert stack.up(places, "demo", environment) == 0
        assert "You." in capfd.readouterr().out

        assert stack.down(places, "demo", environment) == 0
        assert stack.down(places, "demo", environment) == 0
        tidy_up(places, EngineChoice(), clean=False)
        assert not places.state.exists()
        assert (places.repository / "Pulumi.demo.yaml").exists()

    def test_the_report_gets_the_state_and_a_folder_of_its_own(
        self,
        places: Places,
        environment: dict[str, str],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        with pytest.raises(ToolchainError, match="make up STACK=demo"):
            stack_report.report(places, "demo", environment)
        (places.repository / ".venv").symlink_to(REPOSITORY / ".venv")
        program = "import sys; print(sys.argv[1:], sys.stdin.read())\n"
        (places.repository / "report.py").write_text(program)
        assert stack.up(places, "demo", environment) == 0
        capfd.readouterr()

        assert stack_report.report(places, "demo", environment) == 0

        printed = capfd.readouterr().out
        assert str(places.repository / "reports/demo") in printed
        assert '"urn": "urn:pulumi:demo::finetune-stack' in printed
        assert "not to be seen" not in printed

    def test_a_preview_of_a_stack_that_is_not_there_leaves_nothing_behind(
        self,
        places: Places,
        environment: dict[str, str],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        before = everything(places.state.parent)

        assert stack.preview(places, "demo", environment) == 0

        printed = capfd.readouterr().out
        assert "not there yet" in printed
        assert "Me." in printed
        assert everything(places.state.parent) == before

    def test_a_stack_with_levels_is_judged_before_anything_is_made(
        self, places: Places, environment: dict[str, str], capfd: pytest.CaptureFixture[str]
    ) -> None:
        (places.repository / ".venv").symlink_to(REPOSITORY / ".venv")
        shutil.copytree(REPOSITORY / "policy", places.repository / "policy", dirs_exist_ok=True)
        kit = places.repository / "toolchain/offline"
        kit.mkdir(parents=True)
        (kit / "policy_pack").symlink_to(REPOSITORY / "toolchain/offline/policy_pack")
        install_analyzer(places.pulumi_home, REPOSITORY / ".venv/bin/python")
        (places.repository / "__main__.py").write_text(UNRETAINED)
        levels = places.repository / "policy/stacks/demo.json"
        levels.parent.mkdir(exist_ok=True)
        levels.write_text('{"output-is-retained": "mandatory"}')

        assert stack.preview(places, "demo", environment) != 0
        assert "[mandatory]  output-is-retained" in capfd.readouterr().out
        assert stack.up(places, "demo", environment) != 0
        assert "[mandatory]  output-is-retained" in capfd.readouterr().out
        assert stack.outputs(places, "demo", environment) == {}

        levels.write_text('{"output-is-retained": "advisory"}')
        assert stack.up(places, "demo", environment) == 0
        assert "[advisory]  output-is-retained" in capfd.readouterr().out
        assert stack.outputs(places, "demo", environment) == {"made": True}

    def test_a_failing_program_is_a_failing_up(
        self, places: Places, environment: dict[str, str], capfd: pytest.CaptureFixture[str]
    ) -> None:
        (places.repository / "__main__.py").write_text("raise SystemExit('no such model')\n")

        assert stack.up(places, "demo", environment) != 0

        printed = capfd.readouterr()
        assert "no such model" in printed.out + printed.err
        assert "question" not in printed.out


def test_a_stack_without_a_file_names_those_that_have_one(places: Places) -> None:
    with pytest.raises(ToolchainError, match=r"'prod' has no Pulumi\.prod\.yaml .*: demo\."):
        stack_config.committed_config(places, "prod")


def test_the_copy_keeps_the_salt_and_follows_the_committed_file() -> None:
    copy = {"config": {"a": 1}, "encryptionsalt": "v1:salt"}

    assert stack_config.merged({"config": {"b": 2}}, copy) == {
        "config": {"b": 2},
        "encryptionsalt": "v1:salt",
    }
    assert stack_config.merged({"encryptionsalt": "own"}, copy) == {"encryptionsalt": "own"}


def test_a_stack_file_that_is_no_mapping_is_refused(places: Places) -> None:
    (places.repository / "Pulumi.demo.yaml").write_text("- one\n")

    with pytest.raises(ToolchainError, match="holds list"):
        stack_config.refresh_copy(places, "demo", {})


def test_answers_show_every_question_and_only_known_addresses() -> None:
    text = stack.answers(
        {
            "smoke_answers": [
                {"prompt": "One?", "answer": "1"},
                {"prompt": "Two?", "answer": "2"},
            ],
            "board_url": "http://127.0.0.1:7860",
            "unrelated": "x",
        }
    )

    assert text.split() == [
        *("question", "One?", "answer", "1", "question", "Two?", "answer", "2"),
        *("LLaMA", "Board", "http://127.0.0.1:7860"),
    ]


def test_local_stacks_leave_out_backups_and_other_projects(tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi" / "stacks" / "finetune-stack"
    folder.mkdir(parents=True)
    for name in ("demo.json", "demo.json.bak", "demo.json.attrs", "dev.json.gz"):
        (folder / name).touch()
    other = tmp_path / ".pulumi" / "stacks" / "other"
    other.mkdir()
    (other / "prod.json").touch()

    assert stack.local_stacks(tmp_path) == ["demo", "dev"]
