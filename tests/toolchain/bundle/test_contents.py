"""What goes into a bundle: the project and what the stack names; no secret, nothing else (O6)."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack_configs.settings.loader import load_settings
from stack_configs.settings.root import Settings
from toolchain.bundle import contents
from toolchain.errors import ToolchainError
from toolchain.places import REPOSITORY, places_from

CANARY = "v1:Y2FuYXJ5:c2VjcmV0"
QUESTIONS = {"name": "questions", "file": "data/questions.json"}

Load = Callable[..., Settings]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "stack_configs/data").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", folder], check=True)
    (folder / "__main__.py").write_text("program\n")
    subprocess.run(["git", "-C", folder, "add", "."], check=True)
    data = REPOSITORY / "stack_configs/data/stack_questions.json"
    (folder / "stack_configs/data/questions.json").write_bytes(data.read_bytes())
    return folder


@pytest.fixture
def load(project: Path) -> Load:
    def settings(**changes: Any) -> Settings:
        document = {
            "datasets": [QUESTIONS],
            "host": {"hardware": "cpu"},
            "images": {"ollama": {"build": True}},
            "models": [
                {
                    "name": "guide",
                    "template": "llama3",
                    "base_model": {"generate": {"seed": 1}},
                    "training_runs": [{"datasets": ["questions"]}],
                    "ollama_model": {"smoke_prompts": [{"prompt": "?", "expect": "!"}]},
                }
            ],
        }
        file = project / "stack_configs/away.yaml"
        file.write_text(yaml.safe_dump({**document, **changes}))
        return load_settings(file)

    return settings


def test_committed_files_and_those_of_the_stack_go_in_and_no_others(
    project: Path, load: Load
) -> None:
    settings = load()
    (project / ".env").write_text("HF_TOKEN=canary\n")
    (project / "stack_configs/other.yaml").write_text("models: []\n")
    own = [project / "stack_configs/away.yaml"]
    places = places_from({"HOME": str(project.parent)}, project)
    found = {
        path.relative_to(project).as_posix()
        for path in contents.project_files(places, settings, own)
    }
    assert found == {"__main__.py", "stack_configs/away.yaml", "stack_configs/data/questions.json"}


def test_a_folder_that_is_no_checkout_is_told(tmp_path: Path, load: Load) -> None:
    places = places_from({"HOME": str(tmp_path)}, tmp_path)
    with pytest.raises(ToolchainError, match="is made from a git checkout"):
        contents.project_files(places, load(), [])


def test_secrets_of_a_configuration_stay_behind() -> None:
    document = {
        "encryptionsalt": CANARY,
        "secretsprovider": f"passphrase-{CANARY}",
        "config": {
            "finetune-stack:stack_config": "away",
            "finetune-stack:hub_token": {"secure": CANARY},
            "other:nested": {"token": [{"secure": CANARY}]},
        },
    }
    written = contents.without_secrets(yaml.safe_dump(document).encode())
    assert CANARY.encode() not in written
    assert yaml.safe_load(written) == {"config": {"finetune-stack:stack_config": "away"}}


def test_a_configuration_without_secrets_is_carried_as_it_is() -> None:
    written = b"# by hand\nconfig:\n  finetune-stack:stack_config: away\n"
    assert contents.without_secrets(written) == written


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"datasets": [QUESTIONS, {"name": "more", "hf_hub_url": "a/b"}]}, "datasets[1]"),
        (
            {"images": {"llamafactory": {"image": "a/b:1"}, "ollama": {"build": True}}},
            "images",
        ),
    ],
)
def test_what_no_archive_can_hold_is_told(
    project: Path, load: Load, changes: dict[str, Any], key: str
) -> None:
    assert [each.key for each in contents.find_problems(load(**changes), project)] == [key]


def test_data_outside_the_project_is_told(project: Path, load: Load) -> None:
    outside = project.parent / "questions.json"
    outside.write_bytes((project / "stack_configs/data/questions.json").read_bytes())
    settings = load(datasets=[{"name": "questions", "file": str(outside)}])
    (problem,) = contents.find_problems(settings, project)
    assert (problem.key, problem.value) == ("datasets[0].file", str(outside))


@pytest.mark.parametrize("hub", ["hub", "modelscope"])
def test_a_base_model_of_a_hub_is_told(project: Path, load: Load, hub: str) -> None:
    settings = load()
    model = settings.models[0]
    base = model.base_model.model_copy(update={hub: "a/b-1B", "generate": None})
    changed = settings.model_copy(
        update={"models": (model.model_copy(update={"base_model": base}),)}
    )
    (problem,) = contents.find_problems(changed, project)
    assert problem.key == f"models[0].base_model.{hub}"
    assert "base_model.path" in problem.way_out


def test_a_stack_that_can_be_carried_has_no_problem(project: Path, load: Load) -> None:
    assert [*contents.find_problems(load(), project)] == []


def test_each_built_image_is_known_by_what_went_into_it(load: Load) -> None:
    plan, references = contents.images_of(load())
    told = contents.carried(plan, {reference: f"sha256:{reference}" for reference in references})
    assert told.references == {image.build: image.reference for image in plan.all}
    assert told.ids.keys() < {*references}
    assert {*references} - told.ids.keys() == {"debian:trixie-slim"}
