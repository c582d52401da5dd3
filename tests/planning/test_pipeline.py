"""Which step a change reaches: what comes after it runs again, no more (T3, E2, E3)."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from plan.problem import SettingsError
from planning.pipeline import PipelinePlan

PlanWith = Callable[..., PipelinePlan]
STEPS = ["base-model", "sft", "merge", "gguf-conversion", "ollama-model"]


def fingerprints(plan: PipelinePlan) -> dict[str, str]:
    (model,) = plan.models
    marks = {stage.name.removeprefix("test-guide-"): stage.fingerprint for stage in model.stages}
    return {
        **marks,
        "ollama-model": model.ollama_model.fingerprint,
        "registration": plan.dataset_registration.fingerprint,
        **{
            f"{image.role} image": image.reference
            for image in (plan.images.llamafactory, plan.images.converter, plan.images.ollama)
        },
    }


def changed(before: PipelinePlan, after: PipelinePlan) -> list[str]:
    was, now = fingerprints(before), fingerprints(after)
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
            (lambda d: model(d).update(template="chatml"), STEPS[1:]),
            (lambda d: model(d).update(merge={"export_size": 1}), STEPS[2:]),
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
            (lambda d: d.update(images={"ollama": {"version": "0.17.5"}}), ["ollama image"]),
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

    @pytest.mark.parametrize(("program", "reached"), [("tiny_model", STEPS), ("merge", STEPS[2:])])
    def test_a_program_of_a_step(
        self, plan_with: PlanWith, project: Path, program: str, reached: list[str]
    ) -> None:
        before = plan_with()
        (project / f"in_container/{program}.py").write_text("changed = 1\n")
        assert changed(before, plan_with()) == reached

    def test_the_stacks_of_one_host_share_work_and_images_but_no_names(
        self, plan_with: PlanWith
    ) -> None:
        one, other = plan_with(stack="one"), plan_with(stack="other")
        (a,), (b,) = one.models, other.models
        assert [s.fingerprint for s in a.stages] == [s.fingerprint for s in b.stages]
        assert {s.name for s in a.stages}.isdisjoint(s.name for s in b.stages)
        assert one.network != other.network


def chain(*runs: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        model(document)["training_runs"] = [{"datasets": ["alpaca"], **run} for run in runs]

    return change


SFT = {"name": "sft"}
DPO = {"name": "dpo", "stage": "dpo", "datasets": ["ranked"]}
RM = {"name": "judge", "stage": "rm", "datasets": ["ranked"]}
PPO = {"name": "ppo", "stage": "ppo", "reward_model": "judge"}
FULL = {"name": "full", "finetuning_type": "full"}


class TestChains:
    def test_a_run_goes_on_from_the_adapter_before_it(self, plan_with: PlanWith) -> None:
        (plan,) = plan_with(chain(SFT, DPO)).models
        sft, dpo = plan.training_runs
        arguments = yaml.safe_load(dpo.files["train.yaml"])
        assert arguments["adapter_name_or_path"] == str(sft.artefact)
        assert plan.base_model
        assert arguments["model_name_or_path"] == str(plan.base_model.artefact)
        assert plan.merge
        merge = yaml.safe_load(plan.merge.files["merge.yaml"])
        assert merge["adapter_name_or_path"] == str(dpo.artefact)

    def test_a_changed_first_run_reaches_the_second(self, plan_with: PlanWith) -> None:
        before, after = plan_with(chain(SFT, DPO)), plan_with(chain(SFT | {"seed": 1}, DPO))
        assert changed(before, after) == ["sft", "dpo", *STEPS[2:]]
        last = plan_with(chain(SFT, DPO | {"seed": 1}))
        assert changed(before, last) == ["dpo", *STEPS[2:]]

    def test_a_reward_model_judges_and_is_not_served(self, plan_with: PlanWith) -> None:
        (plan,) = plan_with(chain(SFT, RM, PPO)).models
        sft, judge, ppo = plan.training_runs
        arguments = yaml.safe_load(ppo.files["train.yaml"])
        assert arguments["reward_model"] == str(judge.artefact)
        assert arguments["reward_model_type"] == "lora"
        assert arguments["adapter_name_or_path"] == str(sft.artefact)

    def test_another_judge_means_another_training(self, plan_with: PlanWith) -> None:
        before = plan_with(chain(SFT, RM, PPO))
        after = plan_with(chain(SFT, RM | {"seed": 1}, PPO))
        assert changed(before, after) == ["judge", "ppo", *STEPS[2:]]

    @pytest.mark.parametrize("method", ["full", "freeze"])
    def test_a_whole_model_is_not_merged(self, plan_with: PlanWith, method: str) -> None:
        (plan,) = plan_with(chain(SFT | {"finetuning_type": method})).models
        assert plan.merge is None
        (run_plan,) = plan.training_runs
        assert f"{run_plan.artefact} " in plan.gguf_conversion.container.command[-1]

    def test_an_adapter_on_a_fully_tuned_model(self, plan_with: PlanWith) -> None:
        (plan,) = plan_with(chain(FULL, SFT)).models
        full, sft = plan.training_runs
        arguments = yaml.safe_load(sft.files["train.yaml"])
        assert arguments["model_name_or_path"] == str(full.artefact)
        assert "adapter_name_or_path" not in arguments
        assert plan.merge
        merge = yaml.safe_load(plan.merge.files["merge.yaml"])
        assert merge["model_name_or_path"] == str(full.artefact)


class TestBaseModels:
    def test_a_model_of_the_hub_is_found_there_with_the_token(self, plan_with: PlanWith) -> None:
        base = {"hub": "Qwen/Qwen2.5-0.5B-Instruct", "revision": "abc"}
        (plan,) = plan_with(lambda d: model(d).update(base_model=base)).models
        (run_plan,) = plan.training_runs
        assert plan.base_model is None
        assert plan.merge
        for stage, file in ((run_plan, "train.yaml"), (plan.merge, "merge.yaml")):
            arguments = yaml.safe_load(stage.files[file])
            assert arguments["model_name_or_path"] == base["hub"]
            assert arguments["model_revision"] == "abc"
            assert stage.secret_environment == ("HF_TOKEN",)
            assert "HF_HUB_OFFLINE" not in stage.container.environment

    @pytest.mark.parametrize("base", [{"path": "/app/output/mine"}, {"generate": {}}])
    def test_a_model_that_is_there_needs_no_hub_and_no_token(
        self, plan_with: PlanWith, base: dict[str, Any]
    ) -> None:
        (plan,) = plan_with(lambda d: model(d).update(base_model=base)).models
        for stage in plan.stages:
            assert stage.secret_environment == ()
            assert stage.container.environment["HF_HUB_OFFLINE"] == "1"

    def test_a_generated_model_is_made_from_the_data_that_it_is_trained_on(
        self, plan_with: PlanWith
    ) -> None:
        plan = plan_with()
        (guide,) = plan.models
        assert guide.base_model
        alpaca, spare, _ = plan.dataset_registration.datasets
        sources = set(guide.base_model.uploads.values())
        assert alpaca.source in sources
        assert spare.source not in sources
        assert json.loads(guide.base_model.files["parameters.json"])["seed"] == 42

    def test_a_generated_model_waits_for_no_registration(self, plan_with: PlanWith) -> None:
        (guide,) = plan_with().models
        assert guide.base_model
        command = guide.base_model.container.command[-1]
        own = [str(guide.base_model.partial / name) for name in guide.base_model.uploads]
        assert all(file in command for file in own)
        assert "/app/data" not in command
        assert [mount.volume for mount in guide.base_model.container.mounts] == ["output"]

    @pytest.mark.parametrize(
        ("base", "fetching"),
        [({"generate": {}}, {"training-run"}), ({"hub": "a/b-1B"}, {"training-run", "merge"})],
    )
    def test_a_step_that_fetches_nothing_has_no_network(
        self, plan_with: PlanWith, base: dict[str, Any], fetching: set[str]
    ) -> None:
        (plan,) = plan_with(lambda d: model(d).update(base_model=base)).models
        networked = {stage.noun for stage in plan.stages if stage.container.network == "stack"}
        assert networked == fetching


class TestSteps:
    def test_work_gets_its_final_name_when_it_is_complete(self, plan_with: PlanWith) -> None:
        for stage in plan_with().models[0].stages:
            shell, flags, script = stage.container.command
            assert (shell, flags) == ("sh", "-ec")
            assert script.endswith(f"; mv {stage.partial} {stage.artefact}")
            assert str(stage.partial).startswith(str(stage.artefact))

    def test_every_name_of_the_engine_is_there_once(self, plan_with: PlanWith) -> None:
        plan = plan_with(chain(SFT, RM, PPO))
        names = [stage.name for stage in plan.models[0].stages]
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
