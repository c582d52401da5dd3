"""The YAML that `llamafactory-cli train` gets, as its own loader reads it (T2-T8)."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from plan.container import GIB
from plan.paths import RUNS
from plan.pipeline import PipelinePlan
from plan.step import ContainerStepPlan
from planning.resumption import PROGRAM, can_resume, drop_what_cannot_be_resumed
from planning.step import IN_CONTAINER, PROJECT
from planning.training_arguments import deepspeed_config, render_arguments
from planning.training_run import with_media
from planning.weights import Weights
from stack_configs.settings.training_runs import TrainingRunSettings
from tests.planning.conftest import step_of

PlanWith = Callable[..., PipelinePlan]
Train = Callable[..., ContainerStepPlan]


@pytest.fixture
def train(plan_with: PlanWith) -> Train:
    """The plan of the one training run, with settings of its own."""

    def make(host: dict[str, Any] | None = None, **settings: Any) -> ContainerStepPlan:
        def change(document: dict[str, Any]) -> None:
            document["host"] |= host or {}
            document["models"][0]["training_runs"] = [{"datasets": ["alpaca"], **settings}]

        return step_of(plan_with(change).models[0], "training-run")

    return make


def arguments(plan: ContainerStepPlan) -> dict[str, Any]:
    # OmegaConf reads 1e-05 as a number and PyYAML as text: what both read alike is safe.
    read: dict[str, Any] = yaml.safe_load(plan.files["train.yaml"])
    return read


class TestArguments:
    def test_what_a_run_is(self, train: Train) -> None:
        read = arguments(train(max_steps=60, precision="fp32", gradient_checkpointing=False))
        assert read["stage"] == "sft"
        assert read["do_train"] is True
        assert read["finetuning_type"] == "lora"
        assert read["template"] == "llama3"
        assert read["dataset"] == "alpaca"
        assert read["max_steps"] == 60
        assert (read["bf16"], read["fp16"]) == (False, False)
        assert read["disable_gradient_checkpointing"] is True
        assert read["report_to"] == "none"

    @given(st.floats(min_value=1e-12, max_value=0.99))
    def test_a_learning_rate_arrives_as_the_number_it_is(self, rate: float) -> None:
        settings = TrainingRunSettings(datasets=("a",), learning_rate=rate)
        rendered = render_arguments(settings, template="llama3", weights=Weights(model="m"))
        assert yaml.safe_load(yaml.safe_dump(rendered))["learning_rate"] == rate

    def test_what_is_not_set_is_not_written(self, train: Train) -> None:
        read = arguments(train())
        assert None not in read.values()
        for name in ("max_steps", "quantization_bit", "deepspeed", "lora_alpha", "use_unsloth"):
            assert name not in read

    @pytest.mark.parametrize("precision", ["bf16", "fp16"])
    def test_one_precision_at_a_time(self, train: Train, precision: str) -> None:
        read = arguments(train(precision=precision))
        assert [read["bf16"], read["fp16"]] == [precision == "bf16", precision == "fp16"]

    def test_any_other_argument_goes_through_as_it_is(self, train: Train) -> None:
        own = {"weight_decay": 0.1, "optim": "sgd", "lr_scheduler_kwargs": {"num_cycles": 2}}
        read = arguments(train(arguments=own))
        assert {name: read[name] for name in own} == own

    def test_lora_alone_has_loras_arguments(self, train: Train) -> None:
        lora = arguments(train(lora_rank=4, additional_target=["embed_tokens", "lm_head"]))
        assert lora["lora_rank"] == 4
        assert lora["additional_target"] == "embed_tokens,lm_head"
        full = arguments(train(finetuning_type="full"))
        assert not [name for name in full if name.startswith("lora")]

    def test_several_data_sets_are_one_list(self, plan_with: PlanWith) -> None:
        plan = plan_with(
            lambda d: d["models"][0]["training_runs"][0].update(datasets=["spare", "alpaca"])
        )
        run = step_of(plan.models[0], "training-run")
        assert arguments(run)["dataset"] == "spare,alpaca"
        assert json.loads(run.files["dataset_info.json"]).keys() == {"spare", "alpaca"}

    def test_what_it_is_judged_by_is_registered_too(self, train: Train) -> None:
        run = train(eval_datasets=["spare", "alpaca"])
        assert arguments(run)["eval_dataset"] == "spare,alpaca"
        assert json.loads(run.files["dataset_info.json"]).keys() == {"spare", "alpaca"}

    @pytest.mark.parametrize(
        ("run", "judged"),
        [({}, False), ({"val_size": 0.1}, True), ({"eval_dataset": "spare"}, True)],
    )
    def test_rows_that_are_held_out_are_judged_by(
        self, train: Train, run: dict[str, Any], judged: bool
    ) -> None:
        assert arguments(train(**run)).get("do_eval", False) is judged

    def test_weights_in_bf16_are_computed_with_as_they_are(self, train: Train) -> None:
        read = arguments(train(host={"hardware": "cuda"}, pure_bf16=True))
        assert [read["pure_bf16"], read["bf16"], read["fp16"]] == [True, False, False]

    def test_only_the_data_that_it_names_is_registered_beside_it(self, train: Train) -> None:
        assert json.loads(train().files["dataset_info.json"]).keys() == {"alpaca"}

    def test_qlora(self, train: Train) -> None:
        read = arguments(train(host={"hardware": "cuda"}, quantization_bit=4))
        assert read["quantization_bit"] == 4


class TestPlace:
    def test_everything_lies_in_the_folder_of_the_run(self, train: Train) -> None:
        plan = train()
        read = arguments(plan)
        assert read["output_dir"] == read["dataset_dir"] == str(plan.partial)
        assert plan.partial.parent == plan.artefact.parent == RUNS
        assert f"llamafactory-cli train {plan.partial}/train.yaml" in plan.container.command[-1]

    def test_a_run_goes_on_from_its_last_checkpoint(self, train: Train) -> None:
        # LLaMA-Factory looks for one by itself unless it is told to overwrite.
        read = arguments(train())
        assert "overwrite_output_dir" not in read
        assert read["save_steps"] == 500

    def test_its_container(self, train: Train) -> None:
        plan = train(host={"shm_size_gb": 2.5}, threads=3, deadline_hours=0.5)
        assert [mount.target for mount in plan.container.mounts] == [
            "/app/data",
            "/app/output",
            "/root/.cache/huggingface",
        ]
        assert plan.container.shm_bytes == int(2.5 * GIB)
        assert plan.container.environment["OMP_NUM_THREADS"] == "3"
        assert plan.deadline_seconds == 1800
        assert plan.progress_log == "trainer_log.jsonl"

    def test_threads_are_the_libraries_choice_unless_set(self, train: Train) -> None:
        assert "OMP_NUM_THREADS" not in train().container.environment


class TestDeepSpeed:
    @pytest.mark.parametrize(("name", "stage"), [("zero2", 2), ("zero3", 3)])
    def test_its_file_lies_beside_the_run(self, train: Train, name: str, stage: int) -> None:
        plan = train(host={"hardware": "cuda"}, deepspeed=name)
        assert arguments(plan)["deepspeed"] == f"{plan.partial}/deepspeed.json"
        config = json.loads(plan.files["deepspeed.json"])
        assert config["zero_optimization"]["stage"] == stage
        assert config["train_batch_size"] == "auto"

    def test_it_is_launched_through_torchrun_on_one_device_too(self, train: Train) -> None:
        # LLaMA-Factory: "Please use `FORCE_TORCHRUN=1` to launch DeepSpeed training."
        host = {"hardware": "cuda"}
        assert train(host, deepspeed="zero2").container.environment["FORCE_TORCHRUN"] == "1"
        assert "FORCE_TORCHRUN" not in train(host).container.environment

    def test_zero_3_saves_whole_weights(self) -> None:
        settings = TrainingRunSettings(datasets=("a",), deepspeed="zero3")
        zero = deepspeed_config(settings)["zero_optimization"]
        assert zero["stage3_gather_16bit_weights_on_model_save"] is True

    def test_another_stage_is_another_training(self, train: Train) -> None:
        host = {"hardware": "cuda"}
        marks = {train(host, deepspeed=z).identity for z in (None, "zero2", "zero3")}
        assert len(marks) == 3


class TestOffload:
    """What the host's memory holds of a model that is shared out (T6)."""

    @pytest.mark.parametrize(
        ("stage", "offload", "kept"),
        [
            ("zero2", None, set()),
            ("zero2", "optimizer", {"offload_optimizer"}),
            ("zero3", "optimizer", {"offload_optimizer"}),
            ("zero3", "all", {"offload_optimizer", "offload_param"}),
        ],
    )
    def test_deepspeed_is_told(
        self, train: Train, stage: str, offload: str | None, kept: set[str]
    ) -> None:
        plan = train({"hardware": "cuda"}, deepspeed=stage, offload=offload)
        zero = json.loads(plan.files["deepspeed.json"])["zero_optimization"]
        assert {key for key in zero if key.startswith("offload")} == kept
        assert all(zero[key] == {"device": "cpu", "pin_memory": True} for key in kept)
        # As LLaMA-Factory's own files have it.
        assert zero["overlap_comm"] == (not kept)

    def test_it_is_another_training(self, train: Train) -> None:
        host = {"hardware": "cuda"}
        marks = {
            train(host, deepspeed="zero3", offload=offload).identity
            for offload in (None, "optimizer", "all")
        }
        assert len(marks) == 3


class TestFsdp:
    @pytest.mark.parametrize(("offload", "words"), [(None, ""), ("all", " offload")])
    def test_the_trainer_is_told(self, train: Train, offload: str | None, words: str) -> None:
        plan = train({"hardware": "cuda"}, fsdp="full_shard", offload=offload)
        said = arguments(plan)
        assert said["fsdp"] == f"full_shard auto_wrap{words}"
        assert said["fsdp_config"]["cpu_ram_efficient_loading"] is True
        assert "deepspeed" not in said
        assert "deepspeed.json" not in plan.files

    def test_the_model_is_loaded_as_accelerate_launch_would_have_it(self, train: Train) -> None:
        host = {"hardware": "cuda"}
        launched = {"FORCE_TORCHRUN": "1", "ACCELERATE_USE_FSDP": "true"}
        environment = train(host, fsdp="full_shard").container.environment
        assert environment.items() >= launched.items()
        assert not train(host).container.environment.keys() & launched.keys()

    def test_a_config_of_ones_own_has_the_last_word(self, train: Train) -> None:
        plan = train({"hardware": "cuda"}, fsdp="full_shard", fsdp_config={"version": 2})
        assert arguments(plan)["fsdp_config"] == {"version": 2}

    def test_another_way_to_share_is_another_training(self, train: Train) -> None:
        host = {"hardware": "cuda"}
        marks = {train(host, fsdp=way).identity for way in (None, "full_shard", "shard_grad_op")}
        assert len(marks) == 3


class TestCluster:
    """Several hosts that train together, each from a stack of its own (T8)."""

    def host(self, rank: int = 0, **changes: Any) -> dict[str, Any]:
        cluster = {"nodes": 2, "rank": rank, "master_address": "10.0.0.1", **changes}
        return {"hardware": "cuda", "cluster": cluster}

    def test_each_host_knows_its_place(self, train: Train) -> None:
        environment = train(self.host(1, master_port=29600)).container.environment
        assert (
            environment.items()
            >= {
                "FORCE_TORCHRUN": "1",
                "NNODES": "2",
                "NODE_RANK": "1",
                "MASTER_ADDR": "10.0.0.1",
                "MASTER_PORT": "29600",
            }.items()
        )
        assert "NPROC_PER_NODE" not in environment

    def test_the_hosts_meet_on_their_own_network(self, train: Train) -> None:
        assert train(self.host()).container.network == "host"
        # Alone it needs nobody: its model was fetched before.
        assert train({"hardware": "cuda"}).container.network == "none"

    def test_every_host_keeps_the_result(self, train: Train) -> None:
        assert arguments(train(self.host()))["save_on_each_node"] is True
        assert "save_on_each_node" not in arguments(train({"hardware": "cuda"}))

    def test_who_leads_makes_no_other_model_and_how_many_train_does(self, train: Train) -> None:
        hosts = (self.host(0), self.host(1), self.host(master_address="10.0.0.2"))
        assert len({train(host).identity for host in hosts}) == 1
        alone, three = {"hardware": "cuda"}, self.host(nodes=3)
        assert len({train(host).identity for host in (self.host(), alone, three)}) == 3

    def test_each_host_has_a_folder_of_its_own(self, train: Train) -> None:
        # They may share a directory, and the identity is the same on all of them.
        leader, other = train(self.host(0)), train(self.host(1))
        assert leader.identity == other.identity
        assert leader.artefact != other.artefact
        assert train({"hardware": "cuda"}).artefact.name == train({"hardware": "cuda"}).identity


class TestResuming:
    def left(self, folder: Path, *, can_resume: bool = True) -> list[str]:
        for name, file in (("20", "trainer_state.json"), ("40", "model.safetensors")):
            (folder / f"checkpoint-{name}").mkdir()
            (folder / f"checkpoint-{name}" / file).write_text("{}")
        for name in ("trainer_log.jsonl", "train.yaml"):
            (folder / name).touch()
        self.drop(folder, can_resume=can_resume)
        return sorted(path.name for path in folder.iterdir())

    def drop(self, folder: Path, *, can_resume: bool = True) -> None:
        """As the container begins, with the program beside the work."""
        program = folder / PROGRAM
        shutil.copy(PROJECT / IN_CONTAINER / PROGRAM, program)
        script = drop_what_cannot_be_resumed(PurePosixPath(folder), can_resume=can_resume)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        subprocess.run(["sh", "-ec", script], check=True, env={**os.environ, "PATH": path})
        program.unlink()

    def test_a_checkpoint_that_a_kill_left_half_written_is_dropped(self, tmp_path: Path) -> None:
        assert self.left(tmp_path) == ["checkpoint-20", "train.yaml", "trainer_log.jsonl"]

    def test_weights_that_a_kill_left_half_written_are_dropped(self, tmp_path: Path) -> None:
        # LLaMA-Factory: "Output directory already exists and is not empty."
        for name in ("adapter_model.safetensors", "model.safetensors.index.json", "model.bin"):
            (tmp_path / name).touch()
        assert self.left(tmp_path) == ["checkpoint-20", "train.yaml", "trainer_log.jsonl"]

    def test_what_cannot_be_resumed_begins_again(self, tmp_path: Path) -> None:
        assert self.left(tmp_path, can_resume=False) == ["train.yaml", "trainer_log.jsonl"]

    @pytest.mark.parametrize(
        ("run", "resumes"),
        [
            ({}, True),
            # LLaMA-Factory: "`resume_from_checkpoint` will be supported in the future version."
            ({"stage": "ppo", "reward_model": "judge"}, False),
            ({"pissa_init": True}, False),
        ],
    )
    def test_what_can_be_resumed(self, run: dict[str, Any], resumes: bool) -> None:
        assert can_resume(TrainingRunSettings(**({"datasets": ("a",)} | run))) is resumes

    def test_of_pissa_the_converted_adapter_is_kept(self, train: Train) -> None:
        run = train(pissa_init=True)
        assert arguments(run)["pissa_convert"] is True
        script = run.container.command[-1]
        assert script.index("llamafactory-cli train") < script.index("pissa_converted/")
        assert "pissa" not in train().container.command[-1]

    def test_a_first_run_has_nothing_to_drop(self, tmp_path: Path) -> None:
        self.drop(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_it_is_dropped_before_the_training_begins(self, train: Train) -> None:
        run = train()
        assert PROGRAM in run.uploads
        script = run.container.command[-1]
        assert script.index(PROGRAM) < script.index("llamafactory-cli train")


class TestMedia:
    def test_folders_lie_in_one_while_the_commands_run(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            (tmp_path / name / "deep").mkdir(parents=True)
            (tmp_path / name / "deep" / f"{name}.png").write_text(name)
        folder = PurePosixPath(tmp_path) / "media"
        commands = with_media(
            folder,
            [f"{tmp_path}/one", f"{tmp_path}/two"],
            [f"cat {folder}/deep/one.png {folder}/deep/two.png"],
        )
        # The second time finds what a killed run had left.
        killed, again = "; ".join(commands[:-1]), "; ".join(commands)
        for script in (killed, again):
            done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=True)
            assert done.stdout == "onetwo"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
        assert (tmp_path / "one/deep/one.png").read_text() == "one"
