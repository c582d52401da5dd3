"""Base models of the hub: one step for all that start from one, and what speaks against one."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from plan.host import HostFacts, HubModelFacts, Tokens
from plan.owner import Owner
from plan.pipeline import PipelinePlan
from plan.problem import Problem
from planning.host import ask_about_host, ask_for_tokens
from planning.hub_model import downloads, hub_model_problems
from planning.pipeline import plan_pipeline
from stack_configs.settings.root import Settings

PlanWith = Callable[..., PipelinePlan]
SettingsWith = Callable[..., Settings]
Document = dict[str, Any]
OWNER = Owner(stack="test")
HUB = {"hub": "a/b-1B"}
FETCH = "test-base-model-a--b-1B"
MISSING = Tokens(missing=(FETCH,))


def from_hub(document: Document, **base: Any) -> None:
    document["models"][0]["base_model"] = HUB | base


def from_modelscope(document: Document, **base: Any) -> None:
    document["models"][0]["base_model"] = {"modelscope": "a/b-1B"} | base


class TestModelScope:
    """The same promises, of another hub (F8)."""

    COMMIT = "c0ffee" * 6 + "c0ff"

    def test_it_is_fetched_by_its_commit_and_trained_as_a_folder(self, plan_with: PlanWith) -> None:
        facts = HostFacts(hub_commits={"modelscope:a/b-1B@master": self.COMMIT})
        (plan,) = plan_with(from_modelscope, facts=facts).models
        fetch, train = plan.steps[:2]
        asked = json.loads(fetch.files["parameters.json"])
        assert (asked["hub"], asked["revision"], asked["asked"]) == (
            "modelscope",
            "master",
            self.COMMIT,
        )
        assert fetch.secret_environment == ("MODELSCOPE_API_TOKEN",)
        arguments = next(text for name, text in train.files.items() if name.endswith(".yaml"))
        folder = f"{asked['cache']}/models--a--b-1B/snapshots/{self.COMMIT}"
        assert f"model_name_or_path: {folder}\n" in arguments
        assert "model_revision" not in arguments

    def test_one_model_of_two_hubs_is_two_models(self, plan_with: PlanWith) -> None:
        (one,), (other,) = (plan_with(change).models for change in (from_hub, from_modelscope))
        assert one.steps[0].name != other.steps[0].name
        assert one.steps[0].identity != other.steps[0].identity

    def test_another_address_reaches_the_look_and_the_fetch(
        self, settings_with: SettingsWith
    ) -> None:
        def change(document: Document) -> None:
            from_modelscope(document)
            document["images"] = {"mirrors": {"modelscope": "https://www.modelscope.ai"}}

        settings = settings_with(change)
        assert ask_about_host(settings, OWNER).hubs == {"modelscope": "https://www.modelscope.ai"}
        (plan,) = plan_pipeline(settings, owner=OWNER, facts=HostFacts()).models
        environment = plan.steps[0].container.environment
        assert environment["MODELSCOPE_ENDPOINT"] == "https://www.modelscope.ai"

    def test_a_gated_model_wants_the_token_of_its_hub(self, settings_with: SettingsWith) -> None:
        settings = settings_with(from_modelscope)
        facts = HostFacts(hub_models={"modelscope:a/b-1B@master": HubModelFacts(refusal="gated")})
        plan = plan_pipeline(settings, owner=OWNER, facts=facts)
        missing = Tokens(missing=(plan.models[0].steps[0].name,))
        (problem,) = hub_model_problems(settings, plan, facts, missing)
        assert (problem.key, problem.value) == ("models[0].base_model.modelscope", "'a/b-1B'")
        assert "pulumi config set --secret modelscope_token" in problem.way_out


class TestPlan:
    def test_it_is_fetched_by_its_commit_into_the_cache(self, plan_with: PlanWith) -> None:
        (plan,) = plan_with(from_hub, facts=HostFacts(hub_commits={"a/b-1B@main": "c0ffee"})).models
        fetch = plan.steps[0]
        asked = json.loads(fetch.files["parameters.json"])
        assert (asked["repo"], asked["revision"], asked["asked"]) == ("a/b-1B", "main", "c0ffee")
        assert [mount.source for mount in fetch.container.mounts] == ["test-hf-cache"]
        assert str(fetch.marker).startswith("/root/.cache/huggingface/runs/")

    def test_it_is_looked_for_where_its_files_are(self, plan_with: PlanWith) -> None:
        (probe,) = (p for p in ask_for_tokens(plan_with(from_hub)).probes if p.step == FETCH)
        assert (probe.source, probe.mounted_at) == ("test-hf-cache", "/root/.cache/huggingface")

    def test_models_that_start_from_the_same_one_share_its_step(self, plan_with: PlanWith) -> None:
        def change(document: Document) -> None:
            from_hub(document)
            document["models"].append(copy.deepcopy(document["models"][0]) | {"name": "other"})
            document["models"][1]["ollama_model"] = {"name": "other"}

        plan = plan_with(change)
        one, other = (model.steps[0] for model in plan.models)
        assert one == other
        assert [step.name for step in plan.container_steps].count(FETCH) == 1
        assert [probe.step for probe in ask_for_tokens(plan).probes].count(FETCH) == 1

    def test_two_revisions_are_two_steps(self, plan_with: PlanWith) -> None:
        names = {
            plan_with(lambda d, r=revision: from_hub(d, revision=r)).models[0].steps[0].name
            for revision in ("main", "v2", "refs/pr/1")
        }
        assert names == {FETCH, f"{FETCH}--v2", f"{FETCH}--refs--pr--1"}

    def test_mirror_and_proxy_reach_the_container_and_the_look(
        self, plan_with: PlanWith, settings_with: SettingsWith
    ) -> None:
        def change(document: Document) -> None:
            from_hub(document)
            document.setdefault("images", {})["mirrors"] = {
                "model_hub": "https://hub.example.org",
                "proxy": "http://proxy.example.org:3128",
                "no_proxy": ["localhost", ".example.org"],
            }

        fetch = plan_with(change).models[0].steps[0]
        assert fetch.container.environment == {
            "HF_ENDPOINT": "https://hub.example.org",
            "HTTP_PROXY": "http://proxy.example.org:3128",
            "HTTPS_PROXY": "http://proxy.example.org:3128",
            "NO_PROXY": "localhost,.example.org",
        }
        questions = ask_about_host(settings_with(change), OWNER)
        assert questions.hubs == {"huggingface": "https://hub.example.org"}
        assert questions.hub_proxy == "http://proxy.example.org:3128"


class TestJudgement:
    @pytest.fixture
    def problems(self, settings_with: SettingsWith) -> Callable[..., list[Problem]]:
        def judge(
            told: HubModelFacts,
            tokens: Tokens = MISSING,
            *,
            change: Callable[[Document], Any] = from_hub,
            free: float | None = None,
        ) -> list[Problem]:
            settings = settings_with(change)
            facts = HostFacts(hub_models={"a/b-1B@main": told}, disk_free_gb=free)
            plan = plan_pipeline(settings, owner=OWNER, facts=facts)
            return list(hub_model_problems(settings, plan, facts, tokens))

        return judge

    @pytest.mark.parametrize(
        ("refusal", "key", "way_out"),
        [
            ("gated", "models[0].base_model.hub", "Accept the terms"),
            ("unknown", "models[0].base_model.hub", "Correct the name"),
            ("no_revision", "models[0].base_model.revision", "Correct models[].base_model"),
        ],
    )
    def test_a_model_that_the_hub_refuses(
        self, problems: Callable[..., list[Problem]], refusal: Any, key: str, way_out: str
    ) -> None:
        told = HubModelFacts(refusal=refusal)
        (problem,) = problems(told)
        assert problem.key == key
        assert problem.way_out.startswith(way_out)
        # What was fetched needs the hub no more.
        assert problems(told, Tokens()) == []

    def test_weights_that_take_no_adapter(self, problems: Callable[..., list[Problem]]) -> None:
        (problem,) = problems(HubModelFacts(quantization="gptq"), Tokens())
        assert "no adapter can be merged" in problem.rule
        # LLaMA-Factory turns these back into plain weights.
        assert problems(HubModelFacts(quantization="fp8")) == []

        def full(document: Document) -> None:
            from_hub(document)
            document["models"][0]["training_runs"][0]["finetuning_type"] = "full"

        assert problems(HubModelFacts(quantization="gptq"), change=full) == []

    def test_a_disk_that_cannot_hold_it(self, problems: Callable[..., list[Problem]]) -> None:
        told = HubModelFacts(size_gb=16)
        (problem,) = problems(told, free=15)
        assert problem.rule.startswith("16.0 GB are to be fetched, and 15.0 GB are free")
        assert problems(told, free=16) == []
        # Some of it may be there.
        assert problems(replace(told, is_begun=True), free=15) == []
        # All of it is.
        assert problems(told, Tokens(), free=15) == []
        # Nobody knows.
        assert problems(told) == []

        def elsewhere(document: Document) -> None:
            from_hub(document)
            document["volumes"] = {"hf_cache": {"host_path": "/srv/cache"}}

        assert problems(told, free=15, change=elsewhere) == []


def test_what_is_still_to_be_fetched_is_told_with_its_size(settings_with: SettingsWith) -> None:
    settings = settings_with(from_hub)
    told = HubModelFacts(size_gb=16)
    facts = HostFacts(hub_models={"a/b-1B@main": told})
    plan = plan_pipeline(settings, owner=OWNER, facts=facts)
    assert downloads(settings, plan, facts, MISSING) == {"a/b-1B": told}
    assert downloads(settings, plan, facts, Tokens()) == {}
