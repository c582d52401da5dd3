"""Which step a change reaches: what comes after it runs again, no more (T3, E2, E3)."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from plan.container import NO_NETWORK
from plan.pipeline import PipelinePlan
from plan.problem import SettingsError
from tests.planning.conftest import step_of

PlanWith = Callable[..., PipelinePlan]
STEPS = ["base-model", "sft", "merge", "gguf-conversion", "ollama-model"]


def identities(plan: PipelinePlan) -> dict[str, str]:
    (model,) = plan.models
    marks = {step.name.removeprefix("test-guide-"): step.identity for step in model.steps}
    return {
        **marks,
        "ollama-model": model.ollama_model.identity,
        "registration": plan.dataset_registration.identity,
        **{f"{image.role} image": image.reference for image in plan.images.all},
    }


def changed(before: PipelinePlan, after: PipelinePlan) -> list[str]:
    was, now = identities(before), identities(after)
    return [step for step in was if was[step] != now.get(step)]


def model(document: dict[str, Any]) -> dict[str, Any]:
    return document["models"][0]  # type: ignore[no-any-return]


def run(document: dict[str, Any]) -> dict[str, Any]:
    return model(document)["training_runs"][0]  # type: ignore[no-any-return]


class TestWhatAChangeReaches:
    @pytest.mark.parametrize(
        ("change", "reached"),
        [
            (lambda d: run(d).update(learning_rate=0.01), STEPS[1:]),
            (lambda d: run(d).update(max_steps=7), STEPS[1:]),
            (lambda d: run(d).update(arguments={"weight_decay": 0.1}), STEPS[1:]),
            (lambda d: run(d).update(deadline_hours=1), []),
            (lambda d: run(d).update(threads=2), []),
            (lambda d: d["host"].update(shm_size_gb=2), []),
            (lambda d: model(d)["base_model"]["generate"].update(seed=1), STEPS),
            (lambda d: model(d).update(template="chatml"), STEPS),
            (lambda d: model(d).update(merge={"export_size": 1}), []),
            (lambda d: model(d).update(merge={"export_device": "auto"}), []),
            (lambda d: model(d).update(gguf_conversion={"quantization": "f16"}), STEPS[4:]),
            (lambda d: model(d).update(gguf_conversion={"quantization": "q8_0"}), STEPS[3:]),
            (
                lambda d: model(d)["ollama_model"].update(parameters={"temperature": 0.5}),
                ["ollama-model"],
            ),
            (lambda d: model(d)["ollama_model"].update(system="Be brief."), ["ollama-model"]),
            (lambda d: model(d)["ollama_model"].update(name="other"), ["ollama-model"]),
            (
                lambda d: model(d)["ollama_model"]["smoke_prompts"][0].update(expect="small"),
                ["ollama-model"],
            ),
            (lambda d: d.update(ollama_server={"port": 12345}), []),
            (lambda d: d.update(board={"enabled": False}), []),
            (
                lambda d: d.update(images={"llamafactory": {"version": "0.9.4"}}),
                [*STEPS, "llamafactory image", "converter image"],
            ),
            (
                # It quantizes, and another version may do so in another way.
                lambda d: d.update(images={"ollama": {"version": "0.17.5"}}),
                ["ollama image", "ollama-model"],
            ),
            (
                lambda d: d.update(images={"converter": {"base_image": "debian:12"}}),
                [*STEPS[3:], "converter image"],
            ),
        ],
    )
    def test_a_setting(
        self, plan_with: PlanWith, change: Callable[[Any], Any], reached: list[str]
    ) -> None:
        assert sorted(changed(plan_with(), plan_with(change))) == sorted(reached)

    def test_a_setting_that_comes_back_finds_its_work_again(self, plan_with: PlanWith) -> None:
        before = plan_with()
        plan_with(lambda d: run(d).update(learning_rate=0.01))
        assert changed(before, plan_with()) == []

    @pytest.mark.parametrize(
        ("file", "reached"),
        [("alpaca", [*STEPS, "registration"]), ("spare", ["registration"])],
    )
    def test_the_content_of_a_data_file(
        self, plan_with: PlanWith, directory: Path, file: str, reached: list[str]
    ) -> None:
        before = plan_with()
        (directory / f"{file}.json").write_text('[{"instruction": "New?", "output": "Yes."}]')
        assert sorted(changed(before, plan_with())) == sorted(reached)

    def test_a_data_file_that_was_renamed_is_the_same_data(
        self, plan_with: PlanWith, directory: Path
    ) -> None:
        before = plan_with()
        (directory / "alpaca.json").rename(directory / "my data; v2.json")
        after = plan_with(lambda d: d["datasets"][0].update(file="my data; v2.json"))
        assert changed(before, after) == []

    @pytest.mark.parametrize(
        ("recipe", "reached"),
        [
            ("planning.base_model.RECIPE", STEPS),
            ("planning.merge.RECIPE", STEPS[2:]),
            ("planning.merge.COMPLETION_RECIPE", STEPS[2:]),
            ("planning.training_run.COMPLETION_RECIPE", []),
        ],
    )
    def test_another_recipe_of_a_program(
        self,
        plan_with: PlanWith,
        monkeypatch: pytest.MonkeyPatch,
        recipe: str,
        reached: list[str],
    ) -> None:
        before = plan_with()
        monkeypatch.setattr(recipe, 99)
        assert changed(before, plan_with()) == reached

    def test_the_stacks_of_one_host_share_work_and_images_but_no_names(
        self, plan_with: PlanWith
    ) -> None:
        one, other = plan_with(stack="one"), plan_with(stack="other")
        (a,), (b,) = one.models, other.models
        assert [s.identity for s in a.steps] == [s.identity for s in b.steps]
        assert {s.name for s in a.steps}.isdisjoint(s.name for s in b.steps)
        assert one.network != other.network
        assert one.images == other.images


class TestBaseModels:
    def test_a_model_of_the_hub_is_loaded_from_where_it_was_fetched_to(
        self, plan_with: PlanWith
    ) -> None:
        base = {"hub": "Qwen/Qwen2.5-0.5B-Instruct", "revision": "abc"}
        (plan,) = plan_with(lambda d: model(d).update(base_model=base)).models
        fetch, *others = plan.steps
        assert (fetch.noun, fetch.secret_environment) == ("base-model", ("HF_TOKEN",))
        loading = (step_of(plan, "training-run"), step_of(plan, "merge"))
        for step, file in zip(loading, ("train.yaml", "merge.yaml"), strict=True):
            arguments = yaml.safe_load(step.files[file])
            assert arguments["model_name_or_path"] == base["hub"]
            assert arguments["model_revision"] == "abc"
        for step in others:
            assert step.secret_environment == ()
            assert step.container.environment["HF_HUB_OFFLINE"] == "1"

    @pytest.mark.parametrize("base", [{"path": "/app/output/mine"}, {"generate": {}}])
    def test_a_model_that_is_there_needs_no_hub_and_no_token(
        self, plan_with: PlanWith, base: dict[str, Any]
    ) -> None:
        (plan,) = plan_with(lambda d: model(d).update(base_model=base)).models
        for step in plan.steps:
            assert step.secret_environment == ()
            assert step.container.environment["HF_HUB_OFFLINE"] == "1"

    def test_a_generated_model_is_made_from_the_data_that_it_is_trained_on(
        self, plan_with: PlanWith
    ) -> None:
        plan = plan_with()
        (guide,) = plan.models
        base_model = step_of(guide, "base-model")
        alpaca, spare, *_ = plan.dataset_registration.files
        sources = set(base_model.uploads.values())
        assert alpaca.source in sources
        assert spare.source not in sources
        assert json.loads(base_model.files["parameters.json"])["seed"] == 42

    def test_a_familys_model_is_made_where_its_vocabulary_is(self, plan_with: PlanWith) -> None:
        base = {"generate": {"family": "llama-3", "hidden_size": 64}}
        plan = plan_with(lambda d: model(d).update(base_model=base, template="llama3"))
        base_model = step_of(plan.models[0], "base-model")
        assert base_model.container.image == plan.images.converter.reference
        assert not any(name.startswith("data/") for name in base_model.uploads)
        parameters = json.loads(base_model.files["parameters.json"])
        assert parameters["config"]["hidden_size"] == 64
        assert parameters["config"]["vocab_size"] == 128256

    def test_a_generated_model_waits_for_no_registration(self, plan_with: PlanWith) -> None:
        (guide,) = plan_with().models
        base_model = step_of(guide, "base-model")
        command = base_model.container.command[-1]
        own = [str(base_model.partial / name) for name in base_model.uploads]
        assert all(file in command for file in own)
        assert "/app/data" not in command
        assert [mount.source for mount in base_model.container.mounts] == ["test-output"]

    @pytest.mark.parametrize(
        ("base", "fetching"),
        [({"generate": {}}, set()), ({"hub": "a/b-1B"}, {"base-model"})],
    )
    def test_a_step_that_fetches_nothing_has_no_network(
        self, plan_with: PlanWith, base: dict[str, Any], fetching: set[str]
    ) -> None:
        (plan,) = plan_with(lambda d: model(d).update(base_model=base)).models
        networked = {step.noun for step in plan.steps if step.container.network != NO_NETWORK}
        assert networked == fetching


class TestSteps:
    def test_work_gets_its_final_name_when_it_is_complete(self, plan_with: PlanWith) -> None:
        for step in plan_with().models[0].steps:
            shell, flags, script = step.container.command
            assert (shell, flags) == ("sh", "-ec")
            assert script.endswith(f"mv -T {step.partial} {step.artefact}; fi")
            assert str(step.partial).startswith(str(step.artefact))

    def test_every_name_of_the_engine_is_there_once(self, plan_with: PlanWith) -> None:
        runs = [
            {"name": "sft", "datasets": ["alpaca"]},
            {"name": "judge", "datasets": ["ranked"], "stage": "rm"},
            {"name": "ppo", "datasets": ["alpaca"], "stage": "ppo", "reward_model": "judge"},
        ]
        plan = plan_with(lambda d: model(d).update(training_runs=runs))
        names = [step.name for step in plan.models[0].steps]
        names += [plan.ollama_server.name, plan.models[0].ollama_model.name]
        names += [plan.board.name] if plan.board else []
        assert len(names) == len(set(names))

    def test_models_whose_steps_would_be_called_alike_are_refused(
        self, plan_with: PlanWith
    ) -> None:
        def change(document: dict[str, Any]) -> None:
            second = copy.deepcopy(model(document))
            second["name"], run(document)["name"] = "guide-b", "b-sft"
            document["models"].append(second)

        with pytest.raises(SettingsError) as caught:
            plan_with(change)
        (problem,) = caught.value.problems
        assert problem.key == "models[1].name"
        assert "test-guide-b-sft" in problem.rule

    def test_a_step_cannot_be_called_as_a_service(self, plan_with: PlanWith) -> None:
        def change(document: dict[str, Any]) -> None:
            model(document)["name"], run(document)["name"] = "ollama", "server"

        with pytest.raises(SettingsError, match="test-ollama-server, which is taken"):
            plan_with(change)

    def test_a_plan_is_the_same_every_time(self, plan_with: PlanWith) -> None:
        assert plan_with() == plan_with()
