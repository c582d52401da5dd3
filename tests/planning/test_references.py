"""What the settings refer to in the stack's volumes, and how much of what they superseded stays."""

from collections.abc import Callable
from typing import Any

from plan.artefacts import Artefact
from plan.host import Tokens
from plan.paths import RUNS
from plan.pipeline import PipelinePlan
from planning.host import ask_for_tokens, tell_work

MakePlan = Callable[..., PipelinePlan]


def paths(plan: PipelinePlan) -> tuple[str, ...]:
    assert plan.leftovers.references is not None
    return plan.leftovers.references.paths


def from_hub(document: dict[str, Any]) -> None:
    document["models"][0] |= {"base_model": {"hub": "a/b-1B"}, "keep": 2}


def test_every_artefact_and_all_data_are_referred_to(plan_with: MakePlan) -> None:
    plan = plan_with()
    artefacts = {str(step.artefact) for step in plan.container_steps}
    data = {file.target for file in plan.dataset_registration.files}
    assert len(data) == 3
    registration = plan.dataset_registration.marker.rpartition("/")[0]
    assert {*paths(plan)} == {*artefacts, *data, registration}


def test_a_base_model_that_lies_in_a_volume_is_referred_to(plan_with: MakePlan) -> None:
    def by_path(document: dict[str, Any]) -> None:
        document["models"][0]["base_model"] = {"path": "/app/output/runs/mine"}

    assert "/app/output/runs/mine" in paths(plan_with(by_path))


def test_how_a_model_is_served_refers_to_nothing_else(plan_with: MakePlan) -> None:
    def warmer(document: dict[str, Any]) -> None:
        document["models"][0]["ollama_model"]["parameters"] = {"temperature": 0.9}

    assert plan_with(warmer).leftovers == plan_with().leftovers, "the state stays as it is"


def test_nothing_goes_unless_a_model_says_how_many_stay(plan_with: MakePlan) -> None:
    plan = plan_with()
    assert plan.kept_artefacts is None
    assert ask_for_tokens(plan).kept_artefacts is None


def test_each_step_of_a_model_keeps_as_many_but_what_a_hub_gave(plan_with: MakePlan) -> None:
    plan = plan_with(from_hub)
    assert plan.kept_artefacts is not None
    made = [step for step in plan.models[0].steps if step.noun != "base-model"]
    assert plan.kept_artefacts.references.keep == {step.name: 2 for step in made}
    assert plan.kept_artefacts.references == plan.leftovers.references
    assert ask_for_tokens(plan).kept_artefacts == plan.kept_artefacts


def test_preview_tells_each_that_goes(plan_with: MakePlan) -> None:
    plan = plan_with(from_hub)
    doomed = Artefact(
        path=f"{RUNS}/0123",
        identity="0123",
        bytes=2_500_000_000,
        modified=1,
        step=f"{plan.stack}-guide-sft",
        stack=plan.stack,
    )
    assert list(tell_work(plan, Tokens(superseded=(doomed,)))) == [
        "guide-sft: 0123 is superseded and goes (2.50 GB), as models[].keep says"
    ]
    assert list(tell_work(plan, Tokens())) == []
