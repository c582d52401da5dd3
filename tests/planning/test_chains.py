"""Several runs of one model: what each starts from, and what it is told of it (T3, E1, E2)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from plan.pipeline import ModelPlan, PipelinePlan
from plan.step import ContainerStepPlan
from planning.weights import WRITTEN_ARGUMENTS
from tests.planning.test_pipeline import STEPS, changed

PlanWith = Callable[..., PipelinePlan]
PT = {"name": "pt", "stage": "pt"}
SFT = {"name": "sft"}
DPO = {"name": "dpo", "stage": "dpo", "datasets": ["ranked"]}
RM = {"name": "judge", "stage": "rm", "datasets": ["ranked"]}
PPO = {"name": "ppo", "stage": "ppo", "reward_model": "judge"}
FULL = {"name": "full", "finetuning_type": "full"}


@pytest.fixture(autouse=True)
def _judged(directory: Path) -> None:
    row = {"instruction": "Say hi.", "output": "Hi.", "good": True}
    (directory / "judged.json").write_text(json.dumps([row]))


def chain(*runs: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        judged = {"name": "judged", "file": "judged.json", "columns": {"kto_tag": "good"}}
        document["datasets"].append(judged)
        document["models"][0]["training_runs"] = [{"datasets": ["alpaca"], **run} for run in runs]

    return change


def told(step: ContainerStepPlan) -> dict[str, Any]:
    """What LLaMA-Factory is told in a step's YAML."""
    (file,) = (file for file in step.files if file in ("train.yaml", "merge.yaml"))
    read: dict[str, Any] = yaml.safe_load(step.files[file])
    return read


def steps(plan: ModelPlan) -> dict[str, ContainerStepPlan]:
    return {step.name.removeprefix("test-guide-"): step for step in plan.steps}


class TestChains:
    def test_a_run_goes_on_with_the_adapter_before_it(self, plan_with: PlanWith) -> None:
        found = steps(plan_with(chain(PT, SFT)).models[0])
        assert [*found] == ["base-model", "pt", "sft", "merge", "gguf-conversion"]
        assert told(found["sft"])["adapter_name_or_path"] == str(found["pt"].artefact)
        assert told(found["sft"])["model_name_or_path"] == str(found["base-model"].artefact)
        assert told(found["merge"])["adapter_name_or_path"] == str(found["sft"].artefact)

    @pytest.mark.parametrize(
        "later",
        [
            {"lora_rank": 16},
            {"additional_target": ["lm_head"]},
            {"arguments": {"use_dora": True}},
            {"arguments": {"create_new_adapter": True}},
            {"finetuning_type": "full"},
            {"finetuning_type": "oft"},
            {"arguments": {"pissa_init": True}},
            {"stage": "dpo", "datasets": ["ranked"]},
            {"stage": "rm", "datasets": ["ranked"]},
        ],
    )
    def test_a_run_that_cannot_go_on_with_it_starts_from_a_merge(
        self, plan_with: PlanWith, later: dict[str, Any]
    ) -> None:
        (plan,) = plan_with(chain(SFT, {"name": "later", **later})).models
        assert [*steps(plan)][:4] == ["base-model", "sft", "sft-merge", "later"]
        merge, run = steps(plan)["sft-merge"], steps(plan)["later"]
        assert told(merge)["adapter_name_or_path"] == str(steps(plan)["sft"].artefact)
        assert told(run)["model_name_or_path"] == str(merge.artefact)
        assert "adapter_name_or_path" not in told(run)

    @pytest.mark.parametrize("first", [{"finetuning_type": "oft"}, {"pissa_init": True}])
    def test_no_run_goes_on_with_an_adapter_of_another_kind(
        self, plan_with: PlanWith, first: dict[str, Any]
    ) -> None:
        (plan,) = plan_with(chain(SFT | first, SFT | {"name": "later"})).models
        assert [*steps(plan)][1:-1] == ["sft", "sft-merge", "later", "merge"]
        # LLaMA-Factory 0.9.5 loads adapters with finetuning_type lora alone, of whatever kind.
        assert told(steps(plan)["sft-merge"])["finetuning_type"] == "lora"

    def test_a_judge_that_is_no_lora_adapter_is_merged(self, plan_with: PlanWith) -> None:
        (plan,) = plan_with(chain(SFT, RM | {"finetuning_type": "oft"}, PPO)).models
        found = steps(plan)
        assert "judge-merge" in found
        assert told(found["ppo"])["reward_model_type"] == "full"

    @pytest.mark.parametrize("stage", ["dpo", "kto"])
    def test_the_reference_of_a_run_is_the_policy_that_it_starts_from(
        self, plan_with: PlanWith, stage: str
    ) -> None:
        """Without its adapter the model is the reference: what lies beneath must be the policy."""
        data = {"dpo": "ranked", "kto": "judged"}[stage]
        (plan,) = plan_with(
            chain(SFT, {"name": "a", "stage": stage, "datasets": [data]}, DPO)
        ).models
        found = steps(plan)
        assert [*found][1:-1] == ["sft", "sft-merge", "a", "a-merge", "dpo", "merge"]
        assert told(found["a-merge"])["model_name_or_path"] == str(found["sft-merge"].artefact)
        assert told(found["dpo"])["model_name_or_path"] == str(found["a-merge"].artefact)
        assert told(found["merge"])["model_name_or_path"] == str(found["a-merge"].artefact)
        assert told(found["merge"])["adapter_name_or_path"] == str(found["dpo"].artefact)

    def test_a_changed_first_run_reaches_the_second(self, plan_with: PlanWith) -> None:
        before, after = plan_with(chain(SFT, DPO)), plan_with(chain(SFT | {"seed": 1}, DPO))
        assert changed(before, after) == ["sft", "sft-merge", "dpo", *STEPS[2:]]
        last = plan_with(chain(SFT, DPO | {"seed": 1}))
        assert changed(before, last) == ["dpo", *STEPS[2:]]

    def test_a_reward_model_is_an_adapter_beside_the_policys(self, plan_with: PlanWith) -> None:
        (plan,) = plan_with(chain(SFT, RM, PPO)).models
        found = steps(plan)
        # One merge for both: the judge's adapter fits the very model that is trained.
        assert [*found][1:-1] == ["sft", "sft-merge", "judge", "ppo", "merge"]
        merged = str(found["sft-merge"].artefact)
        assert told(found["judge"])["model_name_or_path"] == merged
        assert told(found["ppo"])["model_name_or_path"] == merged
        assert told(found["ppo"])["reward_model"] == str(found["judge"].artefact)
        assert told(found["ppo"])["reward_model_type"] == "lora"

    @pytest.mark.parametrize(
        "runs",
        [
            (SFT, RM, DPO, PPO),
            (RM, SFT, PPO),
            (SFT, RM | {"arguments": {"add_tokens": "<x>"}}, PPO),
            (SFT, RM, PPO | {"finetuning_type": "full"}),
            (SFT, RM, PPO | {"use_unsloth": True}),
        ],
    )
    def test_a_judge_of_another_model_is_a_whole_model(
        self, plan_with: PlanWith, runs: tuple[dict[str, Any], ...]
    ) -> None:
        def change(document: dict[str, Any]) -> None:
            document["host"]["hardware"] = "cuda"
            chain(*runs)(document)

        found = steps(plan_with(change).models[0])
        merge, ppo = found["judge-merge"], found["ppo"]
        assert [*found].index("judge-merge") == [*found].index("ppo") - 1
        assert told(merge)["stage"] == "rm", "the value head goes along"
        assert told(merge)["adapter_name_or_path"] == str(found["judge"].artefact)
        assert told(ppo)["reward_model"] == str(merge.artefact)
        assert told(ppo)["reward_model_type"] == "full"

    def test_a_judge_after_the_last_policy_run_is_not_served(self, plan_with: PlanWith) -> None:
        found = steps(plan_with(chain(SFT, RM)).models[0])
        assert [*found] == [
            "base-model",
            "sft",
            "sft-merge",
            "judge",
            "chat-encoding",
            "gguf-conversion",
        ]
        command = found["gguf-conversion"].container.command[-1]
        assert f"{found['sft-merge'].artefact} " in command

    def test_another_judge_means_another_training(self, plan_with: PlanWith) -> None:
        before = plan_with(chain(SFT, RM, PPO))
        after = plan_with(chain(SFT, RM | {"seed": 1}, PPO))
        assert changed(before, after) == ["judge", "ppo", *STEPS[2:]]

    @pytest.mark.parametrize("method", ["full", "freeze"])
    def test_a_whole_model_is_not_merged(self, plan_with: PlanWith, method: str) -> None:
        found = steps(plan_with(chain(SFT | {"finetuning_type": method})).models[0])
        assert "merge" not in found
        assert f"{found['sft'].artefact} " in found["gguf-conversion"].container.command[-1]

    @pytest.mark.parametrize(("template", "flag"), [("llama3", "--b"), ("chatml", "--no-b")])
    def test_every_whole_model_gets_a_complete_tokenizer(
        self, plan_with: PlanWith, template: str, flag: str
    ) -> None:
        def change(document: dict[str, Any]) -> None:
            document["models"][0]["template"] = template
            chain(FULL, SFT)(document)

        found = steps(plan_with(change).models[0])
        program = "complete_tokenizer.py"
        for name, source in (("full", "base-model"), ("merge", "full")):
            step = found[name]
            assert step.uploads[program] == f"in_container/{program}"
            command = (
                f"python {step.partial}/{program} {flag}egin-token "
                f"{found[source].artefact} {step.partial}; if test -e {step.artefact};"
            )
            assert command in step.container.command[-1]
        assert program not in found["sft"].uploads
        assert program not in found["sft"].container.command[-1]

    def test_an_adapter_on_a_fully_tuned_model(self, plan_with: PlanWith) -> None:
        found = steps(plan_with(chain(FULL, SFT)).models[0])
        assert told(found["sft"])["model_name_or_path"] == str(found["full"].artefact)
        assert "adapter_name_or_path" not in told(found["sft"])
        assert told(found["merge"])["model_name_or_path"] == str(found["full"].artefact)


class TestGraph:
    """Runs that go on from an earlier one by its name, and the one that is served."""

    BRANCHES = (SFT, RM, PPO, DPO | {"starts_from": "sft"})

    def serve(self, served: str, *runs: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
        def change(document: dict[str, Any]) -> None:
            chain(*runs)(document)
            document["models"][0]["served_run"] = served

        return change

    def test_branches_share_the_merge_that_they_start_from(self, plan_with: PlanWith) -> None:
        found = steps(plan_with(chain(*self.BRANCHES)).models[0])
        assert [*found][1:-1] == ["sft", "sft-merge", "judge", "ppo", "dpo", "merge"]
        merged = str(found["sft-merge"].artefact)
        for name in ("judge", "ppo", "dpo"):
            assert told(found[name])["model_name_or_path"] == merged
            assert "adapter_name_or_path" not in told(found[name])
        assert told(found["merge"])["adapter_name_or_path"] == str(found["dpo"].artefact)

    def test_the_named_run_is_served(self, plan_with: PlanWith) -> None:
        found = steps(plan_with(self.serve("ppo", *self.BRANCHES)).models[0])
        assert told(found["merge"])["adapter_name_or_path"] == str(found["ppo"].artefact)

    def test_a_run_that_others_start_from_is_merged_once(self, plan_with: PlanWith) -> None:
        found = steps(plan_with(self.serve("sft", *self.BRANCHES)).models[0])
        assert "merge" not in found
        command = found["gguf-conversion"].container.command[-1]
        assert f"{found['sft-merge'].artefact} " in command

    def test_a_run_starts_from_the_base_model_again(self, plan_with: PlanWith) -> None:
        anew = SFT | {"name": "anew", "starts_from": "base-model", "seed": 1}
        found = steps(plan_with(chain(SFT, anew)).models[0])
        assert [*found][1:-1] == ["sft", "anew", "merge"]
        assert told(found["anew"])["model_name_or_path"] == str(found["base-model"].artefact)
        assert "adapter_name_or_path" not in told(found["anew"])

    def test_another_branch_trains_nothing_again(self, plan_with: PlanWith) -> None:
        go_on = SFT | {"name": "later", "starts_from": "sft"}
        before, after = plan_with(chain(SFT, go_on)), plan_with(chain(SFT, FULL, go_on))
        assert changed(before, after) == []

    def test_a_name_for_what_is_so_anyway_changes_nothing(self, plan_with: PlanWith) -> None:
        said = (SFT | {"starts_from": "base-model"}, RM, PPO | {"starts_from": "sft"})
        assert plan_with(chain(SFT, RM, PPO)) == plan_with(self.serve("ppo", *said))

    def test_what_another_branch_was_told_does_not_reach_what_is_served(
        self, plan_with: PlanWith
    ) -> None:
        loud = SFT | {"name": "loud", "arguments": {"default_system": "Shout."}}
        quiet = SFT | {"name": "quiet", "starts_from": "base-model"}
        (plan,) = plan_with(chain(loud, quiet)).models
        assert "Shout." not in plan.ollama_model.modelfile
        assert "default_system" not in told(steps(plan)["merge"])


OTHER = "weight_decay"
LOADED = {
    "resize_vocab": True,
    "add_special_tokens": "<|note|>",
    "rope_scaling": "linear",
    "trust_remote_code": True,
    "default_system": "Be brief; don't shout.",
    OTHER: 0.1,
}
LASTING = {"trust_remote_code": True, "default_system": "Be brief; don't shout."}


class TestWhatTheLoaderIsTold:
    """Training's words for the loader reach all that load its result (E1, E2)."""

    def plan(self, plan_with: PlanWith, *runs: dict[str, Any]) -> PipelinePlan:
        def change(document: dict[str, Any]) -> None:
            chain(*runs)(document)
            document["api"] = {"enabled": True}

        return plan_with(change)

    def steps(self, plan_with: PlanWith, *runs: dict[str, Any]) -> dict[str, ContainerStepPlan]:
        return steps(self.plan(plan_with, *runs).models[0])

    def test_the_merge_loads_as_training_did(self, plan_with: PlanWith) -> None:
        run = SFT | {"arguments": LOADED, "cutoff_len": 4096}
        merge = told(self.steps(plan_with, run)["merge"])
        assert merge.items() >= {key: LOADED[key] for key in LOADED if key != OTHER}.items()
        assert merge["cutoff_len"] == 4096, "what positions are scaled for"
        assert OTHER not in merge

    def test_without_scaled_positions_the_length_does_not_reach_it(
        self, plan_with: PlanWith
    ) -> None:
        assert "cutoff_len" not in told(self.steps(plan_with, SFT | {"cutoff_len": 4096})["merge"])

    @pytest.mark.parametrize("method", ["lora", "full"])
    def test_a_later_run_finds_it_in_the_model_and_is_told_the_rest(
        self, plan_with: PlanWith, method: str
    ) -> None:
        run = SFT | {"arguments": LOADED, "finetuning_type": method}
        found = self.steps(plan_with, run, {"name": "later"}, DPO)
        for step in (found["later"], found["dpo"]):
            assert told(step).items() >= LASTING.items()
            assert not told(step).keys() & set(WRITTEN_ARGUMENTS)
            assert "adapter_name_or_path" not in told(step)

    def test_a_run_of_ones_own_has_the_last_word(self, plan_with: PlanWith) -> None:
        later = {"name": "later", "arguments": {"default_system": "Shout."}}
        (plan,) = self.plan(plan_with, SFT | {"arguments": LOADED}, later).models
        for name in ("later", "merge"):
            assert told(steps(plan)[name])["default_system"] == "Shout."
        assert 'SYSTEM """Shout."""' in plan.ollama_model.modelfile

    def test_a_judge_tells_the_policy_nothing(self, plan_with: PlanWith) -> None:
        found = self.steps(plan_with, RM | {"arguments": LOADED}, SFT)
        for name in ("sft", "merge"):
            assert not told(found[name]).keys() & LOADED.keys()

    def test_the_api_loads_an_adapter_that_needs_no_more_than_words(
        self, plan_with: PlanWith
    ) -> None:
        plan = self.plan(plan_with, SFT | {"arguments": LASTING})
        sft = steps(plan.models[0])["sft"]
        assert plan.api
        assert plan.api.built_on == sft.identity
        command = plan.api.container.command
        assert f"--adapter_name_or_path={sft.artefact}" in command
        assert "--trust_remote_code=True" in command
        assert "--default_system=Be brief; don't shout." in command

    def test_the_api_loads_the_merge_of_an_adapter_with_a_vocabulary_of_its_own(
        self, plan_with: PlanWith
    ) -> None:
        plan = self.plan(plan_with, SFT | {"arguments": LOADED})
        merge = steps(plan.models[0])["merge"]
        assert plan.api
        assert plan.api.built_on == merge.identity
        command = plan.api.container.command
        assert f"--model_name_or_path={merge.artefact}" in command
        assert "--trust_remote_code=True" in command
        assert not [word for word in command if "resize" in word or "adapter" in word]
