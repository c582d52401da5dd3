"""Training runs: the YAML that `llamafactory-cli train` gets, and what it depends on (T2-T8)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from components.planning import paths
from components.planning.container import GIB, Accelerator, ContainerPlan, Mount
from components.planning.dataset_registration import DatasetPlan, render_dataset_info
from components.planning.fingerprint import fingerprint
from components.planning.images import ImagePlan
from components.planning.stage import StagePlan, then_complete
from stack_configs.models import ChatTemplate
from stack_configs.training_runs import Stage, TrainingRunSettings

CONFIG = "train.yaml"
DEEPSPEED_CONFIG = "deepspeed.json"

TRAINING_MOUNTS = (
    Mount(volume="data", target=str(paths.DATA)),
    Mount(volume="output", target=str(paths.OUTPUT)),
    Mount(volume="hf_cache", target=str(paths.HF_CACHE)),
)
"""The guide's three mounts (F7)."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What a run starts from: the base model, and the adapter of the run before."""

    model: str
    """Hub id or path inside the container."""
    revision: str | None = None
    adapter: str | None = None
    fingerprints: tuple[str, ...] = ()
    """Of the steps that made them."""


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
    shm_size_gb: float,
    offline: bool,
) -> TrainingRunPlan:
    """One run. `datasets` are those that it names; `offline` forbids any look at the hub."""
    arguments = render_arguments(settings, template=template, weights=weights)
    info = render_dataset_info(datasets)
    built_on = (*weights.fingerprints, *([reward_model.fingerprint] if reward_model else []))
    mark = fingerprint(
        "training-run", image.reference, arguments, info, [d.digest for d in datasets], built_on
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
            },
            mounts=TRAINING_MOUNTS,
            shm_bytes=int(shm_size_gb * GIB),
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


def render_arguments(
    settings: TrainingRunSettings, *, template: ChatTemplate, weights: Weights
) -> dict[str, Any]:
    """LLaMA-Factory's arguments, but for those that only say where things lie."""
    arguments: dict[str, Any] = {
        "model_name_or_path": weights.model,
        "model_revision": weights.revision,
        "adapter_name_or_path": weights.adapter,
        "stage": settings.stage,
        "do_train": True,
        "finetuning_type": settings.finetuning_type,
        "template": template,
        "dataset": ",".join(settings.datasets),
        "cutoff_len": settings.cutoff_len,
        "max_samples": settings.max_samples,
        "num_train_epochs": settings.num_train_epochs,
        "max_steps": settings.max_steps,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.lr_scheduler_type,
        "warmup_steps": settings.warmup_steps,
        "per_device_train_batch_size": settings.per_device_train_batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation_steps,
        "bf16": settings.precision == "bf16",
        "fp16": settings.precision == "fp16",
        "disable_gradient_checkpointing": not settings.gradient_checkpointing,
        "seed": settings.seed,
        "logging_steps": settings.logging_steps,
        "save_steps": settings.save_steps,
        "save_total_limit": settings.save_total_limit,
        "flash_attn": settings.flash_attn,
        "use_unsloth": settings.use_unsloth or None,
        "quantization_bit": settings.quantization_bit,
        "deepspeed": settings.deepspeed,
        "report_to": "none",
        **_lora_arguments(settings),
        **settings.arguments,
    }
    return {key: value for key, value in arguments.items() if value is not None}


def _lora_arguments(settings: TrainingRunSettings) -> Mapping[str, Any]:
    if settings.finetuning_type != "lora":
        return {}
    return {
        "lora_rank": settings.lora_rank,
        "lora_alpha": settings.lora_alpha,
        "lora_dropout": settings.lora_dropout,
        "lora_target": settings.lora_target,
        "additional_target": ",".join(settings.additional_target) or None,
    }


def deepspeed_config(settings: TrainingRunSettings) -> dict[str, Any]:
    """ZeRO stage 2 or 3 with every figure left to the trainer, as LLaMA-Factory's examples do."""
    zero: dict[str, Any] = {"stage": 2 if settings.deepspeed == "zero2" else 3}
    zero |= {"overlap_comm": True, "contiguous_gradients": True}
    if settings.deepspeed == "zero3":
        zero |= {
            "reduce_bucket_size": "auto",
            "stage3_prefetch_bucket_size": "auto",
            "stage3_param_persistence_threshold": "auto",
            "stage3_gather_16bit_weights_on_model_save": True,
        }
    return {
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "zero_allow_untested_optimizer": True,
        "bf16": {"enabled": "auto"},
        "fp16": {"enabled": "auto"},
        "zero_optimization": zero,
    }


def _environment(settings: TrainingRunSettings, *, offline: bool) -> dict[str, str]:
    environment = offline_environment() if offline else {}
    if settings.deepspeed:
        # LLaMA-Factory launches DeepSpeed through torchrun only, on one device as well.
        environment["FORCE_TORCHRUN"] = "1"
    if settings.threads is not None:
        environment["OMP_NUM_THREADS"] = str(settings.threads)
    return environment


def offline_environment() -> dict[str, str]:
    """No look at the hub: nothing there is needed, and the look costs seconds or fails."""
    return {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
