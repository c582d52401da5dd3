"""The environments that come with the stack are right, on any machine."""

from pathlib import Path

import pytest

from plan.host import HostFacts
from plan.owner import Owner
from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import load_settings

FOLDER = Path(__file__).parents[2] / "stack_configs"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_environment_has_a_plan(path: Path) -> None:
    plan = plan_pipeline(load_settings(path), owner=Owner(stack=path.stem), facts=HostFacts())
    assert plan.models
    for model in plan.models:
        assert model.ollama_model.smoke_prompts, "a model nobody asked anything is not proven"


def test_the_demo_and_a_gpu_host_are_there() -> None:
    assert {"demo", "dev"} <= {path.stem for path in FOLDER.glob("*.yaml")}


def test_the_demo_needs_no_gpu_no_hub_and_no_ready_image() -> None:
    settings = load_settings(FOLDER / "demo.yaml")
    plan = plan_pipeline(settings, owner=Owner(stack="demo"), facts=HostFacts())
    assert settings.host.hardware == "cpu"
    assert all(not step.secret_environment for model in plan.models for step in model.steps)
    assert all(image.is_built for image in plan.images.all)


def test_what_the_demo_asks_was_trained() -> None:
    settings = load_settings(FOLDER / "demo.yaml")
    texts = "".join(dataset.file.read_text() for dataset in settings.datasets if dataset.file)
    for model in settings.models:
        for smoke in model.ollama_model.smoke_prompts:
            assert smoke.prompt in texts
            assert (smoke.expect or "") in texts
