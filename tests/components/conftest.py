"""A recording engine in Pulumi's place, and a plan to deploy on it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.pipeline import FineTunePipeline, FineTunePipelineArgs
from plan.host import HostFacts, Tokens
from plan.owner import Owner
from plan.pipeline import PipelinePlan
from planning.host import ask_for_tokens
from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import parse_settings
from tests.pulumi_recorder import Recorder, run

STACK = "finetune-stack-test"
FACTS = HostFacts(platform="linux/arm64")
MakePlan = Callable[[dict[str, Any]], PipelinePlan]
Deploy = Callable[..., FineTunePipeline]


@pytest.fixture
def settings_document(tmp_path: Path) -> dict[str, Any]:
    """The smallest settings with every component, as parsed YAML."""
    rows = [{"instruction": "What is the answer?", "output": "42"}]
    (tmp_path / "answers.json").write_text(json.dumps(rows))
    return {
        "host": {"hardware": "cpu"},
        "images": {"ollama": {"build": True}},
        "volumes": {"output": {"retain": True}, "hf_cache": {"retain": False}},
        "datasets": [{"name": "answers", "file": "answers.json"}],
        "models": [
            {
                "name": "guide",
                "template": "llama3",
                "base_model": {"generate": {}},
                "training_runs": [{"datasets": ["answers"]}],
                "ollama_model": {"smoke_prompts": [{"prompt": "answer?", "expect": "42"}]},
            }
        ],
    }


@pytest.fixture
def make_plan(tmp_path: Path) -> MakePlan:
    def make(document: dict[str, Any]) -> PipelinePlan:
        settings = parse_settings(document, directory=tmp_path, source="test.yaml")
        return plan_pipeline(settings, owner=Owner(stack=STACK), facts=FACTS)

    return make


@pytest.fixture
def plan(make_plan: MakePlan, settings_document: dict[str, Any]) -> PipelinePlan:
    """The plan of the settings as they are."""
    return make_plan(settings_document)


@pytest.fixture
def engine() -> Recorder:
    recorder = Recorder()
    recorder.start()
    return recorder


@pytest.fixture
def deploy(engine: Recorder) -> Deploy:
    """Deploys a plan and returns once every registration has landed."""

    def make(plan: PipelinePlan, **args: Any) -> FineTunePipeline:
        pipelines: list[FineTunePipeline] = []

        def program() -> Any:
            pipeline = FineTunePipeline(
                "pipeline",
                FineTunePipelineArgs(plan=plan, facts=FACTS, tokens=tokens_of(plan), **args),
            )
            pipelines.append(pipeline)
            return pipeline.outputs.models

        run(program)
        return pipelines[0]

    return make


def tokens_of(plan: PipelinePlan) -> Tokens:
    """A token for everything that the look at the host is asked about."""
    questions = ask_for_tokens(plan)
    return Tokens(
        steps={probe.step: f"token-{probe.step}" for probe in questions.probes},
        images={role: f"token-{role}" for role in questions.images},
        services={name: f"token-{name}" for name in questions.services},
    )
