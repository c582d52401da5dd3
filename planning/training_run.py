"""Training runs: the YAML that `llamafactory-cli train` gets, and what it depends on (T2-T8)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from planning import paths
from planning.container import GIB, Accelerator, ContainerPlan, Mount
from planning.dataset_registration import DatasetPlan, render_dataset_info
from planning.fingerprint import fingerprint
from planning.images import ImagePlan
from planning.stage import OUTPUT_MOUNT, StagePlan, then_complete
from planning.training_arguments import Weights, deepspeed_config, render_arguments
from stack_configs.settings.host import HostSettings
from stack_configs.settings.models import ChatTemplate
from stack_configs.settings.training_runs import Stage, TrainingRunSettings

CONFIG = "train.yaml"
DEEPSPEED_CONFIG = "deepspeed.json"

TRAINING_MOUNTS = (
    Mount(volume="data", target=str(paths.DATA)),
    OUTPUT_MOUNT,
    Mount(volume="hf_cache", target=str(paths.HF_CACHE)),
)
"""The guide's three mounts (F7)."""


@dataclass(frozen=True, kw_only=True)
class TrainingRunPlan(StagePlan):
    """One `llamafactory-cli train`."""

    yields_adapter: bool
    """False for full and freeze tuning, whose artefact is a whole model."""


def plan_training_run(
    settings: TrainingRunSettings,
    *,
    name: str,
    model: str,
    template: ChatTemplate,
    weights: Weights,
    reward_model: TrainingRunPlan | None,
    datasets: Sequence[DatasetPlan],
    image: ImagePlan,
    accelerator: Accelerator,
    host: HostSettings,
    offline: bool,
) -> TrainingRunPlan:
    """One run. `datasets` are those that it names; `offline` forbids any look at the hub."""
    arguments = render_arguments(settings, template=template, weights=weights)
    if host.cluster:
        # Every host goes on by itself afterwards, or resumes: none has the files of another.
        arguments["save_on_each_node"] = True
    info = render_dataset_info(datasets)
    built_on = (*weights.fingerprints, *([reward_model.fingerprint] if reward_model else []))
    mark = fingerprint(
        "training-run",
        image.reference,
        arguments,
        info,
        [d.digest for d in datasets],
        built_on,
        # Together they take larger steps. Who leads, and where, changes nothing.
        *([host.cluster.nodes] if host.cluster else []),
    )
    folder = paths.partial(mark)
    located: dict[str, Any] = {
        **arguments,
        "dataset_dir": str(folder),
        "output_dir": str(folder),
    }
    files = {"dataset_info.json": info}
    if settings.deepspeed:
        located["deepspeed"] = str(folder / DEEPSPEED_CONFIG)
        files[DEEPSPEED_CONFIG] = json.dumps(deepspeed_config(settings), indent=2) + "\n"
    if reward_model is not None:
        located["reward_model"] = str(reward_model.artefact)
        located["reward_model_type"] = "lora" if reward_model.yields_adapter else "full"
    files[CONFIG] = yaml.safe_dump(located, sort_keys=False, allow_unicode=True)
    return TrainingRunPlan(
        noun="training-run",
        name=name,
        title=f"train {model}: {settings.stage}, {settings.finetuning_type}",
        fingerprint=mark,
        container=ContainerPlan(
            image=image.role,
            command=then_complete(
                mark,
                drop_what_cannot_be_resumed(folder, stage=settings.stage),
                f"llamafactory-cli train {folder / CONFIG}",
            ),
            environment={
                **accelerator.environment,
                **_environment(settings, offline=offline),
                **_cluster_environment(host),
            },
            mounts=TRAINING_MOUNTS,
            network="host" if host.cluster else "stack",
            shm_bytes=int(host.shm_size_gb * GIB),
            accelerator=accelerator,
        ),
        files=files,
        progress_log="trainer_log.jsonl",
        results="all_results.json",
        secret_environment=() if offline else ("HF_TOKEN",),
        deadline_seconds=int(settings.deadline_hours * 3600),
        yields_adapter=settings.finetuning_type == "lora",
    )


def drop_what_cannot_be_resumed(folder: PurePosixPath, *, stage: Stage) -> str:
    """A shell command that leaves the checkpoints that a killed run had finished, and no weights.

    The trainer resumes from the newest checkpoint, complete or not, and writes trainer_state.json
    last (huggingface/transformers#35782). LLaMA-Factory refuses a folder with weights and without
    a checkpoint, which a kill while the result is written leaves; and it cannot resume stage ppo,
    which begins again.
    """
    weights = f"rm -f {folder}/*.safetensors* {folder}/*.bin*"
    if stage == "ppo":
        return f"{weights}; rm -rf {folder}/checkpoint-*"
    return (
        f"{weights}; for checkpoint in {folder}/checkpoint-*; do "
        'test -e "$checkpoint/trainer_state.json" || rm -rf "$checkpoint"; done'
    )


def _environment(settings: TrainingRunSettings, *, offline: bool) -> dict[str, str]:
    environment = offline_environment() if offline else {}
    if settings.deepspeed:
        # LLaMA-Factory launches DeepSpeed through torchrun only, on one device as well.
        environment["FORCE_TORCHRUN"] = "1"
    if settings.threads is not None:
        environment["OMP_NUM_THREADS"] = str(settings.threads)
    return environment


def _cluster_environment(host: HostSettings) -> dict[str, str]:
    """Variables that LLaMA-Factory hands over to torchrun."""
    cluster = host.cluster
    if cluster is None:
        return {}
    return {
        "FORCE_TORCHRUN": "1",
        "NNODES": str(cluster.nodes),
        "NODE_RANK": str(cluster.rank),
        "MASTER_ADDR": cluster.master_address,
        "MASTER_PORT": str(cluster.master_port),
        # LLaMA-Factory starts a process for each device, and counts no processor as one.
        **({"NPROC_PER_NODE": "1"} if host.hardware == "cpu" else {}),
    }


def offline_environment() -> dict[str, str]:
    """No look at the hub: nothing there is needed, and the look costs seconds or fails."""
    return {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
