"""A training run as LLaMA-Factory's operators write it: taken, or refused for a reason (T2, T4)."""

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from plan.problem import Problem
from stack_configs.settings.argument_rules import CLASHES, told_to_the_release
from stack_configs.settings.loader import parse_settings
from stack_configs.settings.release_arguments import RELEASE_ARGUMENTS
from stack_configs.settings.training_runs import TrainingRunSettings
from tests.stack_configs.clash_cases import CASES, GOOD, LATER, Case
from tests.stack_configs.llamafactory_examples import EXAMPLES

RUN = "models[0].training_runs[0]"
ROWS: Mapping[str, dict[str, Any]] = {
    "alpaca": {"instruction": "What?", "output": "That."},
    "ranked": {"instruction": "What?", "chosen": "That.", "rejected": "This."},
    "judged": {"instruction": "What?", "output": "That.", "good": True},
}
KIND = {"rm": "ranked", "dpo": "ranked", "kto": "judged"}
"""Of the data of a stage."""

MODELS_OWN = ("model_name_or_path", "template", "output_dir")
"""What of an example belongs to no run: the model's settings say it."""

REFUSED: Mapping[str, tuple[str, ...]] = {
    # The stack renders ZeRO 2 and 3 itself, and has no other files of DeepSpeed's.
    "extras/asft/llama2_full_asft": ("deepspeed",),
    "extras/asft/qwen2_full_asft": ("deepspeed",),
    "extras/fp8/llama3_fp8_deepspeed_sft": ("deepspeed",),
    # transformers 5 has it in fsdp_config alone: the release refuses its own example.
    "extras/fp8/llama3_fp8_fsdp_sft": ("fsdp_transformer_layer_cls_to_wrap",),
    "extras/mod/llama3_full_sft": ("mixture_of_depths",),
    # It predicts and trains nothing.
    "extras/nlg_eval/llama3_lora_predict": ("datasets",),
    "train_lora/qwen3_preprocess": ("tokenized_path",),
    "train_lora/qwen3_lora_sft_ray": ("dataset_dir", "ray_num_workers"),
}
"""Keys that an example is refused by; every other example is taken."""

Find = Callable[[Any], list[Problem]]


def document_of(run: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """Settings with one run, and the data sets that it names; a judge has a run after it."""
    for kind, row in ROWS.items():
        (directory / f"{kind}.json").write_text(json.dumps([row]), encoding="utf-8")
    kind = KIND.get(run.get("stage", "sft"), "alpaca")
    names = ",".join(run.get(key, "data") for key in ("dataset", "eval_dataset")).split(",")
    entry: dict[str, Any] = {"file": f"{kind}.json", "ranking": kind == "ranked"}
    if kind == "judged":
        entry["columns"] = {"kto_tag": "good"}
    datasets = [{"name": name, **entry} for name in dict.fromkeys(map(str.strip, names))]
    runs = [copy.deepcopy(dict(run))]
    if run.get("stage") == "rm":
        datasets.append({"name": "plain", "file": "alpaca.json"})
        runs.append({"name": "after", "dataset": "plain"})
    return {
        "host": {"hardware": "cuda", "gpu": {"count": 1, "memory_gb": 24}},
        "datasets": datasets,
        "models": [
            {
                "name": "guide",
                "template": "llama3",
                "base_model": {"hub": "meta-llama/Meta-Llama-3-8B-Instruct"},
                "training_runs": runs,
            }
        ],
    }


@pytest.fixture
def run_of(directory: Path) -> Callable[..., TrainingRunSettings]:
    """The run that these keys make."""

    def parse(**run: Any) -> TrainingRunSettings:
        document = document_of({"dataset": "data"} | run, directory)
        settings = parse_settings(document, directory=directory, source="test")
        return settings.models[0].training_runs[0]

    return parse


@pytest.fixture
def problems_with(directory: Path, problems_of: Find) -> Callable[..., dict[str, Problem]]:
    """What is wrong with a run of these keys, by key inside the run."""

    def find(**run: Any) -> dict[str, Problem]:
        found = problems_of(document_of({"dataset": "data"} | run, directory))
        return {problem.key.removeprefix(f"{RUN}."): problem for problem in found}

    return find


class TestExamples:
    """LLaMA-Factory's own files, but for what is the model's in the stack."""

    @pytest.mark.parametrize("name", EXAMPLES)
    def test_an_example_is_a_run(self, directory: Path, problems_of: Find, name: str) -> None:
        run = {key: value for key, value in EXAMPLES[name].items() if key not in MODELS_OWN}
        problems = problems_of(document_of(run, directory))
        keys = [problem.key.removeprefix(f"{RUN}.") for problem in problems]
        assert sorted(keys) == sorted(REFUSED.get(name, ())), problems
        assert all(problem.rule and problem.way_out for problem in problems)

    def test_what_it_says_arrives(self, run_of: Callable[..., TrainingRunSettings]) -> None:
        example = EXAMPLES["train_lora/qwen3_lora_sft_ds3"]
        run = run_of(**{key: example[key] for key in example if key not in MODELS_OWN})
        assert run.deepspeed == "zero3"
        told = told_to_the_release(run)
        assert told["dataset"] == example["dataset"]
        assert run.precision == "bf16"
        same = ("warmup_ratio", "preprocessing_num_workers", "plot_loss", "ddp_timeout")
        assert {key: told[key] for key in same} == {key: example[key] for key in same}


class TestKeysOfTheRelease:
    @pytest.mark.parametrize(
        ("written", "setting", "meant"),
        [
            ({"dataset": "data, more"}, "datasets", ("data", "more")),
            ({"eval_dataset": "data"}, "eval_datasets", ("data",)),
            ({"bf16": True}, "precision", "bf16"),
            ({"fp16": True}, "precision", "fp16"),
            ({"fp16": True, "bf16": False}, "precision", "fp16"),
            ({"bf16": False}, "precision", "fp32"),
            ({"fp16": False}, "precision", "bf16"),
            ({"pure_bf16": True}, "precision", "bf16"),
            ({"disable_gradient_checkpointing": True}, "gradient_checkpointing", False),
            ({"max_steps": -1}, "max_steps", None),
            ({"lora_target": ["q_proj", "v_proj"]}, "lora_target", "q_proj,v_proj"),
            ({"additional_target": "lm_head,norm"}, "additional_target", ("lm_head", "norm")),
            ({"deepspeed": "examples/deepspeed/ds_z2_config.json"}, "deepspeed", "zero2"),
            ({"deepspeed": "x/ds_z3_offload_config.json"}, "deepspeed", "zero3"),
            ({"deepspeed": "x/ds_z3_offload_config.json"}, "offload", "all"),
            ({"deepspeed": "x/ds_z2_offload_config.json"}, "offload", "optimizer"),
            ({"fsdp": "full_shard auto_wrap"}, "fsdp", "full_shard"),
            ({"fsdp": ["shard_grad_op", "auto_wrap"]}, "fsdp", "shard_grad_op"),
            ({"fsdp": "full_shard auto_wrap offload"}, "offload", "all"),
            ({"fsdp": ""}, "fsdp", None),
            ({"fsdp": []}, "offload", None),
            ({"do_train": True, "overwrite_output_dir": True}, "arguments", {}),
            ({"report_to": "none", "resume_from_checkpoint": None}, "arguments", {}),
            ({"report_to": "wandb"}, "report_to", ("wandb",)),
            ({"report_to": ["wandb", "swanlab"]}, "report_to", ("wandb", "swanlab")),
            ({"use_swanlab": True, "swanlab_mode": "cloud"}, "report_to", ("swanlab",)),
            ({"packing": True}, "arguments", {"packing": True}),
            ({"packing": None}, "arguments", {}),
            (
                {"finetuning_type": "freeze", "freeze_trainable_modules": ["a", "b"]},
                "arguments",
                {"freeze_trainable_modules": "a,b"},
            ),
            ({"packing": True, "arguments": {"packing": True}}, "arguments", {"packing": True}),
        ],
    )
    def test_they_are_settings(
        self,
        run_of: Callable[..., TrainingRunSettings],
        written: dict[str, Any],
        setting: str,
        meant: Any,
    ) -> None:
        assert getattr(run_of(**written), setting) == meant

    @pytest.mark.parametrize(
        ("written", "key", "rule"),
        [
            ({"bf16": True, "fp16": True}, "fp16", "bf16 says True"),
            ({"bf16": True, "precision": "fp32"}, "precision", "bf16 says True"),
            ({"precision": "bf16", "bf16": False}, "bf16", "precision says 'bf16'"),
            ({"datasets": ["data"], "dataset": "other"}, "datasets", "dataset says 'other'"),
            ({"packing": True, "arguments": {"packing": False}}, "packing", "arguments says False"),
            ({"template": "llama3"}, "template", "belongs to the model"),
            ({"model_name_or_path": "a/b"}, "model_name_or_path", "base_model"),
            ({"output_dir": "saves"}, "output_dir", "output volume"),
            ({"dataset_dir": "data"}, "dataset_dir", "registers"),
            ({"do_train": False}, "do_train", "the stack sets it"),
            ({"report_to": "trackio"}, "report_to[0]", "tensorboard"),
            ({"fsdp": "hybrid_shard auto_wrap"}, "fsdp", "full_shard"),
            ({"fsdp": "offload"}, "fsdp", "full_shard"),
            ({"swanlab_mode": "local"}, "swanlab_mode", "where W&B does"),
            ({"swanlab_project": "x"}, "swanlab_project", "one project"),
            ({"resume_from_checkpoint": "x"}, "resume_from_checkpoint", "the stack sets it"),
            ({"eval_datasets": ["none"]}, "eval_datasets[0]", "no data set of that name"),
        ],
    )
    def test_what_cannot_be_is_said(
        self,
        problems_with: Callable[..., dict[str, Problem]],
        written: dict[str, Any],
        key: str,
        rule: str,
    ) -> None:
        problems = problems_with(**written)
        assert list(problems) == [key]
        assert rule in problems[key].rule
        assert problems[key].way_out

    def test_a_misspelt_one_is_taken_for_the_nearest(
        self, problems_with: Callable[..., dict[str, Problem]]
    ) -> None:
        problems = problems_with(neftune_noise_alfa=5, lora_rnk=8, xyz=1)
        assert problems["neftune_noise_alfa"].way_out == "Did you mean neftune_noise_alpha"
        assert problems["lora_rnk"].way_out == "Did you mean lora_rank"
        # Not the three hundred that might be.
        assert "neftune" not in problems["xyz"].way_out


class TestValues:
    def test_all_that_is_wrong_is_said_at_once_where_it_stands(
        self, problems_with: Callable[..., dict[str, Problem]]
    ) -> None:
        problems = problems_with(
            packing="yes",
            pref_loss="sigmoyd",
            weight_decay="much",
            arguments={"weight_decai": 0.1, "ddp_timeout": 1.5, "eval_strategy": "step"},
        )
        assert {key: (each.rule, each.way_out) for key, each in problems.items()} == {
            "packing": ("must be true or false", "Give a value that fits"),
            "pref_loss": (
                "must be one of sigmoid, hinge, ipo, kto_pair, orpo, simpo",
                "Did you mean sigmoid",
            ),
            "weight_decay": ("must be a number", "Give a value that fits"),
            "arguments.weight_decai": (
                "LLaMA-Factory 0.9.5 has no argument of that name",
                "Did you mean weight_decay",
            ),
            "arguments.ddp_timeout": ("must be a whole number", "Give a value that fits"),
            "arguments.eval_strategy": ("must be one of no, steps, epoch", "Did you mean steps"),
        }

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("weight_decay", 1),
            ("optim", "adamw_torch_fused"),
            ("lr_scheduler_kwargs", {"num_cycles": 3}),
            ("fsdp_config", {"version": 2}),
            ("neftune_noise_alpha", 5),
            ("eval_steps", 0.5),
            ("include_num_input_tokens_seen", True),
            ("rope_scaling", "yarn"),
        ],
    )
    def test_what_the_release_takes_is_taken(
        self, problems_with: Callable[..., dict[str, Problem]], name: str, value: Any
    ) -> None:
        assert problems_with(**{name: value}) == {}
        assert problems_with(arguments={name: value}) == {}

    @pytest.mark.parametrize("name", ["seed", "packing"])
    def test_a_boolean_is_no_number(self, name: str) -> None:
        value = 1 if name == "packing" else True
        assert RELEASE_ARGUMENTS[name].rule_broken_by(value)

    @pytest.mark.parametrize(
        "factory", [{"version": "0.9.4"}, {"image": "acme/factory:1"}], ids=["release", "image"]
    )
    def test_of_another_release_nobody_knows(
        self, directory: Path, problems_of: Find, factory: dict[str, str]
    ) -> None:
        document = document_of({"dataset": "data", "arguments": {"to_come": 1}}, directory)
        assert [problem.key for problem in problems_of(document)] == [f"{RUN}.arguments.to_come"]
        assert problems_of(document | {"images": {"llamafactory": factory}}) == []


class TestClashes:
    @pytest.mark.parametrize("case", CASES + LATER, ids=lambda case: case.key)
    def test_what_the_release_refuses_is_refused(
        self, directory: Path, problems_of: Find, case: Case
    ) -> None:
        document = document_of({"dataset": "data"} | case.run, directory)
        if case.several_processes:
            assert problems_of(document) == [], "on one device it can be"
            document["host"]["gpu"]["count"] = 2
        problems = {problem.key: problem for problem in problems_of(document)}
        assert f"{RUN}.{case.argument}" in problems
        assert all(problem.rule and problem.way_out for problem in problems.values())

    @pytest.mark.parametrize("run", GOOD, ids=str)
    def test_what_it_takes_is_taken(
        self, problems_with: Callable[..., dict[str, Problem]], run: dict[str, Any]
    ) -> None:
        assert problems_with(**run) == {}

    def test_every_row_has_a_case(self, run_of: Callable[..., TrainingRunSettings]) -> None:
        told = told_to_the_release(run_of())
        met = {
            clash
            for case in CASES + LATER
            for clash in CLASHES
            if clash.argument == case.argument and clash.when(told | case.run)
        }
        assert {clash.rule for clash in set(CLASHES) - met} == {
            # A ppo run needs a run before it.
            "it does not go with stage ppo",
            "stage ppo reports to tensorboard and wandb alone",
        }

    @pytest.mark.parametrize(
        ("key", "value"), [("shift_attn", True), ("report_to", ["tensorboard", "swanlab"])]
    )
    def test_what_ppo_does_not_know(
        self, directory: Path, problems_of: Find, key: str, value: Any
    ) -> None:
        document = document_of({"name": "judge", "stage": "rm", "dataset": "data"}, directory)
        runs = document["models"][0]["training_runs"]
        runs[1] |= {"stage": "ppo", "reward_model": "judge", key: value}
        (problem,) = problems_of(document)
        assert problem.key == f"models[0].training_runs[1].{key}"

    def test_a_processor_takes_no_pure_bf16(self, directory: Path, problems_of: Find) -> None:
        document = document_of({"dataset": "data", "pure_bf16": True}, directory)
        assert problems_of(document) == []
        document["host"] = {"hardware": "cpu"}
        assert [problem.key for problem in problems_of(document)] == [f"{RUN}.pure_bf16"]
