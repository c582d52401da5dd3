"""What `llamafactory-cli train` is told: its YAML, and DeepSpeed's file (T3-T6)."""

from collections.abc import Mapping
from typing import Any

from planning.weights import Weights
from stack_configs.settings.chat_templates import ChatTemplate
from stack_configs.settings.training_runs import TrainingRunSettings

LOCATIONS = frozenset(
    {"model_name_or_path", "model_revision", "adapter_name_or_path", "dataset", "eval_dataset"}
)
"""Arguments that say where weights and data lie. What they are is told by `Weights.made_of` and
`DatasetPlan.content`."""

EVALUATION = frozenset(
    {"do_eval", "do_predict", "predict_with_generate", "compute_accuracy", "eval_on_each_dataset"}
    | {"per_device_eval_batch_size", "eval_accumulation_steps", "eval_num_beams"}
    | {"eval_strategy", "eval_steps", "eval_delay", "prediction_loss_only"}
)
"""Arguments on how a model is judged. They tell nothing of a run that is judged at its end."""

BOOKKEEPING = frozenset(
    {"report_to", "run_name", "logging_steps", "save_steps", "save_total_limit", "plot_loss"}
)
"""Arguments that change what is told and kept of a training, and nothing of what it makes."""


def render_arguments(
    settings: TrainingRunSettings, *, template: ChatTemplate, weights: Weights
) -> dict[str, Any]:
    """LLaMA-Factory's arguments, but for those that only say where things lie."""
    arguments: dict[str, Any] = {
        **weights.arguments,
        "stage": settings.stage,
        "do_train": True,
        "finetuning_type": settings.finetuning_type,
        "template": template,
        "dataset": ",".join(settings.datasets),
        "eval_dataset": ",".join(settings.eval_datasets) or None,
        # Rows that are held out are judged by, if only at the end.
        "do_eval": settings.evaluates or None,
        "cutoff_len": settings.cutoff_len,
        "max_samples": settings.max_samples,
        "num_train_epochs": settings.num_train_epochs,
        "max_steps": settings.max_steps,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.lr_scheduler_type,
        "warmup_steps": settings.warmup_steps,
        "per_device_train_batch_size": settings.per_device_train_batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation_steps,
        # Weights that are bf16 themselves need no conversion on the way.
        "bf16": settings.precision == "bf16" and not settings.arguments.get("pure_bf16"),
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
        **_fsdp_arguments(settings),
        "report_to": list(settings.report_to) or "none",
        **_adapter_arguments(settings),
        **settings.arguments,
        "pissa_convert": bool(settings.arguments.get("pissa_init")) or None,
    }
    return {key: value for key, value in arguments.items() if value is not None}


def arguments_that_train(
    arguments: Mapping[str, Any], *, evaluates_while_training: bool
) -> dict[str, Any]:
    """Those that have a part in what a training makes.

    An evaluation in between draws from the random numbers of the training, and may end it.
    """
    passed_over = LOCATIONS | BOOKKEEPING
    if not evaluates_while_training:
        passed_over |= EVALUATION
    if arguments.get("load_best_model_at_end"):
        # The best of the checkpoints is the result: which there are decides.
        passed_over -= {"save_steps"}
    return {key: value for key, value in arguments.items() if key not in passed_over}


def adapter_shape(settings: TrainingRunSettings) -> Mapping[str, Any]:
    """What makes two runs' adapters alike, so that the later one can go on with the earlier's."""
    others = {key: settings.arguments.get(key) for key in ("use_dora", "use_rslora")}
    return {**_adapter_arguments(settings), **others}


def _adapter_arguments(settings: TrainingRunSettings) -> Mapping[str, Any]:
    if not settings.trains_adapter:
        return {}
    shared = {
        # Of OFT's layers too: LLaMA-Factory 0.9.5 reads no oft_target.
        "lora_target": settings.lora_target,
        "additional_target": ",".join(settings.additional_target) or None,
    }
    if settings.finetuning_type == "oft":
        return shared
    return {
        "lora_rank": settings.lora_rank,
        "lora_alpha": settings.lora_alpha,
        "lora_dropout": settings.lora_dropout,
        **shared,
    }


def _fsdp_arguments(settings: TrainingRunSettings) -> Mapping[str, Any]:
    """As LLaMA-Factory's own example has them for `accelerate launch`.

    FSDP of version 2 is not for torch 2.6, on which the release stands: accelerate 1.11 hands its
    `fully_shard` what only a later one takes.
    """
    if settings.fsdp is None:
        return {}
    offload = " offload" if settings.offload else ""
    return {
        "fsdp": f"{settings.fsdp} auto_wrap{offload}",
        "fsdp_config": {
            "backward_prefetch": "backward_pre",
            # One process reads the files, and sends the others their share. A quantized model
            # cannot be read in another way.
            "cpu_ram_efficient_loading": True,
            "sync_module_states": True,
        },
    }


def deepspeed_config(settings: TrainingRunSettings) -> dict[str, Any]:
    """ZeRO stage 2 or 3 with every figure left to the trainer, as LLaMA-Factory's examples do.

    What lies in the host's memory is pinned there, and takes part in no overlap.
    """
    zero: dict[str, Any] = {"stage": 2 if settings.deepspeed == "zero2" else 3}
    zero |= {"overlap_comm": settings.offload is None, "contiguous_gradients": True}
    if settings.offload:
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": True}
    if settings.offload == "all":
        zero["offload_param"] = {"device": "cpu", "pin_memory": True}
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
