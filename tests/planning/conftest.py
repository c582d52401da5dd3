"""A project in a folder of its own, and plans made from settings that a test changes."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from plan.host import HostFacts
from plan.owner import Owner
from plan.pipeline import ModelPlan, PipelinePlan
from plan.step import ContainerStepPlan, Noun
from planning import accelerator_check, images
from planning.pipeline import plan_pipeline
from stack_configs.settings.host import Hardware
from stack_configs.settings.loader import parse_settings
from stack_configs.settings.root import Settings

Change = Callable[[dict[str, Any]], Any]
DATA: dict[str, list[dict[str, Any]]] = {
    "alpaca": [{"instruction": "What is LoRA?", "output": "A few small layers."}],
    "spare": [{"instruction": "Unused?", "output": "Yes."}],
    "ranked": [{"instruction": "Say hi.", "chosen": "Hi.", "rejected": "No."}],
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for the files that plans digest, so that a test can change them."""
    files = [f"images/llamafactory/Dockerfile.{hardware}" for hardware in get_args(Hardware)]
    files += ["images/llamafactory/build/install.sh"]
    files += ["images/converter/Dockerfile", "images/ollama/Dockerfile"]
    files += ["images/metrics/Dockerfile", "images/reverse-proxy/Dockerfile"]
    files += ["in_container/accelerator_check.py"]
    for name in files:
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    root = tmp_path / "project"
    for dockerfile in list((root / "images").glob("*/Dockerfile*")):
        role = dockerfile.parent.name
        lock = f"requirements-{dockerfile.suffix.removeprefix('.')}.lock"
        rules = f"*\n!{role}/build\n!{role}/{lock}\n!{role}/{dockerfile.name}\n"
        Path(f"{dockerfile}.dockerignore").write_text(rules)
    monkeypatch.setattr(images, "IMAGES", root / "images")
    monkeypatch.setattr(accelerator_check, "PROJECT", root)
    return root


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the settings file and its data lie."""
    folder = tmp_path / "stack_configs"
    folder.mkdir()
    for name, rows in DATA.items():
        (folder / f"{name}.json").write_text(json.dumps(rows))
    return folder


DOCUMENT: dict[str, Any] = {
    "host": {"hardware": "cpu"},
    "datasets": [
        {"name": "alpaca", "file": "alpaca.json"},
        {"name": "spare", "file": "spare.json"},
        {"name": "ranked", "file": "ranked.json", "ranking": True},
    ],
    "models": [
        {
            "name": "guide",
            "template": "llama3",
            "base_model": {"generate": {"seed": 42}},
            "training_runs": [{"datasets": ["alpaca"]}],
            "ollama_model": {"smoke_prompts": [{"prompt": "What is LoRA?", "expect": "layers"}]},
        }
    ],
}


@pytest.fixture
def settings_with(directory: Path) -> Callable[[Change], Settings]:
    """Settings from the document after a change."""

    def make(change: Change = lambda document: None) -> Settings:
        document = copy.deepcopy(DOCUMENT)
        change(document)
        return parse_settings(document, directory=directory, source="test.yaml")

    return make


@pytest.fixture
def plan_with(
    project: Path, settings_with: Callable[[Change], Settings]
) -> Callable[..., PipelinePlan]:
    """The plan of the document after a change, for a host of which so much is known."""

    def make(
        change: Change = lambda document: None,
        stack: str = "test",
        facts: HostFacts = HostFacts(),  # noqa: B008 - it is frozen
    ) -> PipelinePlan:
        return plan_pipeline(settings_with(change), owner=Owner(stack=stack), facts=facts)

    return make


def steps_of(model: ModelPlan, noun: Noun) -> list[ContainerStepPlan]:
    """A model's steps of one kind, in their order."""
    return [step for step in model.steps if step.noun == noun]


def step_of(model: ModelPlan, noun: Noun) -> ContainerStepPlan:
    """A model's one step of a kind."""
    (step,) = steps_of(model, noun)
    return step
