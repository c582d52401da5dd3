"""What is published of a model, and what its card says before anything has run (O6)."""

from collections.abc import Callable
from typing import Any

import pytest

from plan.host import HostFacts
from plan.pipeline import PipelinePlan
from plan.publication import PublicationStep
from planning.publication import registry_problems
from stack_configs.settings.root import Settings

PlanWith = Callable[..., PipelinePlan]
COMMIT = "c0ffee" * 6 + "c0ff"


def published(**registry: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["registry"] = {"host": "registry.example.org:5000", **registry}
        document["models"][0]["ollama_model"] = {"publish": "team/guide"}

    return change


def publication(plan: PipelinePlan) -> PublicationStep:
    found = plan.models[0].publication
    assert found is not None
    return found


def test_a_model_is_published_only_where_the_settings_say_so(plan_with: PlanWith) -> None:
    assert plan_with().models[0].publication is None
    plan = plan_with(published())
    step, served = publication(plan), plan.models[0].ollama_model
    assert step.reference == "registry.example.org:5000/team/guide:latest"
    assert step.registry.url == "https://registry.example.org:5000"
    assert (step.serving, step.model_step) == (served.identity, served.name)
    assert step.secret_environment == ()
    with_login = publication(plan_with(published(username="raven", insecure=True)))
    assert with_login.registry.url == "http://registry.example.org:5000"
    assert with_login.secret_environment == ("REGISTRY_PASSWORD",)


def test_the_card_tells_of_runs_data_and_base(plan_with: PlanWith) -> None:
    def of_the_hub(document: dict[str, Any]) -> None:
        published()(document)
        document["models"][0]["base_model"] = {"hub": "a/b-1B"}

    facts = HostFacts(hub_commits={"a/b-1B@main": COMMIT})
    plan = plan_with(of_the_hub, facts=facts)
    card = publication(plan).card
    assert card is not None
    assert (card.base_model, card.commit) == ("a/b-1B", COMMIT)
    assert card.base_page == "https://huggingface.co/a/b-1B"
    assert card.pulled_as == "registry.example.org:5000/team/guide:latest"
    assert card.identity == plan.models[0].ollama_model.identity
    (run,) = card.runs
    assert run.arguments["stage"] == "sft"
    (trained,) = (step for step in plan.models[0].steps if step.noun == "training-run")
    assert run.figures_file == f"{trained.artefact}/all_results.json"
    assert [file.source.rpartition("/")[2] for file in card.datasets] == ["alpaca.json"]
    unknown = publication(plan_with(of_the_hub)).card
    assert unknown is not None
    assert unknown.commit == "", "a branch is no commit"


def test_of_a_model_that_has_its_name_back_these_settings_tell_nothing(
    plan_with: PlanWith,
) -> None:
    def back(document: dict[str, Any]) -> None:
        published()(document)
        document["models"][0]["ollama_model"]["rollback_to"] = "0123456789abcdef"

    step = publication(plan_with(back))
    assert step.serving == "0123456789abcdef"
    assert step.card is None


@pytest.mark.parametrize(
    ("username", "secrets", "rules"),
    [
        (None, set(), []),
        ("raven", {"registry_password"}, []),
        ("raven", set(), ["the stack has no password of that user"]),
        (
            None,
            {"registry_password"},
            ["the stack has the secret registry_password, and nobody knows whose it is"],
        ),
    ],
)
def test_a_user_and_a_password_belong_together(
    settings_with: Callable[..., Settings],
    username: str | None,
    secrets: set[str],
    rules: list[str],
) -> None:
    settings = settings_with(published(username=username))
    assert [each.rule for each in registry_problems(settings, secrets)] == rules
    idle = settings_with(lambda document: document.update(registry={"username": username}))
    assert list(registry_problems(idle, secrets)) == [], "nothing is published"
