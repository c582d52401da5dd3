"""What an export tells, and what is none."""

import json
from typing import Any

import pytest

from plan.ollama_model import OllamaModelStep
from plan.step import ContainerStepPlan
from report.lineage import lineages
from report.state import StateError, read_state
from tests.report.conftest import OWNER, exported, sight_of


def test_every_step_is_read_in_the_words_of_the_plan(planned) -> None:
    plan, settings = planned()
    state = read_state(exported(plan, settings))
    read = state.plans(ContainerStepPlan)
    steps = [*plan.models[0].steps, *plan.models[1].steps]
    assert [(step.name, step.identity, step.container, step.files) for step in read] == [
        (step.name, step.identity, step.container, step.files) for step in steps
    ]
    assert state.plans(OllamaModelStep) == [model.ollama_model for model in plan.models]
    assert (state.owner, state.stack) == (OWNER, "test")
    assert state.settings == settings
    assert state.updated is not None
    assert state.updated.isoformat() == "2026-09-21T15:06:41+00:00"


def test_no_step_is_left_out_of_the_page_and_the_provenance(planned) -> None:
    """A stack with every step that a model can be made by."""

    def quantized(document: dict[str, Any]) -> None:
        document["models"][0]["gguf_conversion"] = {
            "quantization": "IQ4_XS",
            "importance_matrix": True,
        }

    plan, settings = planned(quantized)
    nouns = [step.noun for step in plan.models[0].steps]
    assert {"calibration-text", "importance-matrix", "quantization"} <= set(nouns)
    state = read_state(exported(plan, settings))
    assert [step.noun for step in state.steps if "guide" in step.plan.name] == [
        *nouns,
        "ollama-model",
    ]
    (guide, _) = lineages(state, sight_of(plan).survey)
    assert [step.noun for step in guide.steps] == nouns


def test_the_volumes_are_those_that_the_steps_mount(planned) -> None:
    plan, settings = planned()
    mounts = read_state(exported(plan, settings)).mounts
    targets = {volume.target: volume.source for volume in plan.volumes}
    assert {mount.target: mount.source for mount in mounts}.items() <= targets.items()
    assert {"/app/output", "/app/data"} <= {mount.target for mount in mounts}


def test_a_step_that_has_not_ended_has_said_nothing(planned) -> None:
    plan, settings = planned()
    document = json.loads(exported(plan, settings))
    for each in document["deployment"]["resources"]:
        each.get("outputs", {}).pop("stdout", None)
    assert {len(step.said) for step in read_state(json.dumps(document)).steps} == {0}


def test_a_step_in_words_of_another_version_is_left_out(planned) -> None:
    plan, settings = planned()
    document = json.loads(exported(plan, settings))
    resources = document["deployment"]["resources"]
    commands = [each for each in resources if "create" in each.get("inputs", {})]
    commands[-1]["inputs"]["stdin"] = '{"step": {"what": "is this"}}'
    steps = read_state(json.dumps(document)).steps
    assert len(steps) == len(commands) - 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "pulumi stack export"),
        ("[]", "pulumi stack export"),
        ('{"version": 3}', "pulumi stack export"),
        (
            '{"deployment": {"resources": [{"urn": "urn:pulumi:a::shop::b::c", "type": "b"}]}}',
            "of the project shop",
        ),
    ],
)
def test_what_is_no_export_of_this_project_is_refused(text: str, said: str) -> None:
    with pytest.raises(StateError, match=said):
        read_state(text)


def test_a_stack_that_has_not_come_up_is_told_how_to() -> None:
    state = read_state('{"deployment": {"manifest": {}, "resources": null}}')
    with pytest.raises(StateError, match="make up"):
        assert state.owner
