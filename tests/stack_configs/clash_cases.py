"""Runs that LLaMA-Factory refuses, a row for each of its reasons, and runs that it takes."""

from dataclasses import dataclass
from typing import Any

EVALUATED = {"val_size": 0.5, "eval_strategy": "steps"}


@dataclass(frozen=True)
class Case:
    """A run as an operator writes it, and the argument that it is refused by."""

    run: dict[str, Any]
    argument: str
    says: str = ""
    """Words of the release's own refusal, where its parser is asked."""
    several_processes: bool = False

    @property
    def key(self) -> str:
        """What pytest calls it."""
        said = ",".join(f"{key}={value}" for key, value in self.run.items())
        return f"{said} on several devices" if self.several_processes else said


CASES = (
    Case(
        {"stage": "pt", "predict_with_generate": True, "val_size": 0.5},
        "predict_with_generate",
        "cannot be set as True except SFT",
    ),
    Case({"stage": "pt", "neat_packing": True}, "neat_packing", "neat_packing` cannot be set"),
    Case(
        {"stage": "pt", "train_on_prompt": True},
        "train_on_prompt",
        "cannot be set as True except SFT",
    ),
    Case({"stage": "pt", "mask_history": True}, "mask_history", "cannot be set as True except SFT"),
    Case(
        {"finetuning_type": "full", "loraplus_lr_ratio": 16.0},
        "loraplus_lr_ratio",
        "loraplus_lr_ratio` is only valid for LoRA",
    ),
    Case(
        {"finetuning_type": "full", "use_rslora": True},
        "use_rslora",
        "use_rslora` is only valid for LoRA",
    ),
    Case(
        {"finetuning_type": "full", "use_dora": True},
        "use_dora",
        "use_dora` is only valid for LoRA",
    ),
    Case(
        {"finetuning_type": "full", "pissa_init": True},
        "pissa_init",
        "pissa_init` is only valid for LoRA",
    ),
    Case({"use_galore": True}, "use_galore", "Cannot use LoRA with GaLore"),
    Case({"use_apollo": True}, "use_apollo", "Cannot use LoRA with GaLore"),
    Case({"use_badam": True}, "use_badam", "Cannot use LoRA with GaLore"),
    Case(
        {"finetuning_type": "full", "use_galore": True, "use_badam": True},
        "use_badam",
        "Cannot use GaLore, APOLLO or BAdam together",
    ),
    Case(
        {"finetuning_type": "full", "use_galore": True, "deepspeed": "zero2"},
        "deepspeed",
        "incompatible with DeepSpeed",
    ),
    Case(
        {"finetuning_type": "full", "use_apollo": True, "deepspeed": "zero2"},
        "deepspeed",
        "incompatible with DeepSpeed",
    ),
    Case(
        {"finetuning_type": "full", "use_galore": True, "galore_layerwise": True},
        "galore_layerwise",
        "layer-wise GaLore",
        several_processes=True,
    ),
    Case(
        {"finetuning_type": "full", "use_apollo": True, "apollo_layerwise": True},
        "apollo_layerwise",
        "layer-wise APOLLO",
        several_processes=True,
    ),
    Case(
        {"finetuning_type": "full", "use_badam": True, "badam_mode": "ratio"},
        "badam_mode",
        "Radio-based BAdam",
        several_processes=True,
    ),
    Case(
        {"finetuning_type": "full", "use_badam": True},
        "use_badam",
        "Layer-wise BAdam only",
        several_processes=True,
    ),
    Case(
        {"finetuning_type": "full", "use_llama_pro": True},
        "use_llama_pro",
        "only valid for Freeze or LoRA",
    ),
    Case({"stage": "kto", "pissa_init": True}, "pissa_init", "Cannot use PiSSA for current"),
    Case({"stage": "dpo", "pissa_init": True}, "pissa_init", "Cannot use PiSSA for current"),
    Case({"pissa_init": True, "quantization_bit": 4}, "pissa_init", "PiSSA for a quantized model"),
    Case({"pissa_init": True, "deepspeed": "zero3"}, "pissa_init", "PiSSA in DeepSpeed ZeRO-3"),
    Case({"fp8": True, "quantization_bit": 4}, "fp8", "FP8 training is not compatible"),
    Case(
        {"quantization_bit": 4, "quantization_device_map": "auto"},
        "quantization_device_map",
        "Cannot use device map",
    ),
    Case({"infer_backend": "vllm"}, "infer_backend", "vLLM/SGLang backend"),
    Case(
        {"stage": "dpo", "pref_loss": "simpo", "dpo_label_smoothing": 0.1},
        "dpo_label_smoothing",
        "only valid for sigmoid",
    ),
    Case(
        {"mask_history": True, "train_on_prompt": True},
        "mask_history",
        "incompatible with `train_on_prompt`",
    ),
    Case({"streaming": True}, "streaming", "Please specify `max_steps`"),
    Case(
        {"streaming": True, "max_steps": 9, "max_samples": 9},
        "streaming",
        "incompatible with `streaming`",
    ),
    Case({"streaming": True, "max_steps": 9, "val_size": 0.5}, "val_size", "integer val size"),
    Case({"val_size": 0.5, "eval_dataset": "data"}, "val_size", "`eval_dataset` is not None"),
    Case({"interleave_probs": "1.0"}, "interleave_probs", "only valid for interleaved"),
    Case(
        {"interleave_probs": "0.5,0.5", "mix_strategy": "interleave_under"},
        "interleave_probs",
        "length of dataset",
    ),
    Case(
        {
            "interleave_probs": "1.0",
            "mix_strategy": "interleave_under",
            "eval_dataset": "data,more",
        },
        "interleave_probs",
        "length of eval dataset",
    ),
    Case({"eval_strategy": "steps"}, "eval_strategy", "eval_dataset be provided"),
    Case({"do_eval": True}, "eval_strategy", "eval_dataset be provided"),
    Case({"predict_with_generate": True}, "predict_with_generate", "eval_dataset be provided"),
    Case(
        {"predict_with_generate": True, "compute_accuracy": True, "val_size": 0.5},
        "predict_with_generate",
        "`compute_accuracy` together",
    ),
    Case(
        {"predict_with_generate": True, "val_size": 0.5, "deepspeed": "zero3"},
        "predict_with_generate",
        "incompatible with DeepSpeed ZeRO-3",
    ),
    Case({"do_predict": True, "val_size": 0.5}, "do_predict", "enable `predict_with_generate`"),
    Case(
        {"stage": "rm", "val_size": 0.5, "eval_strategy": "steps", "load_best_model_at_end": True},
        "load_best_model_at_end",
        "RM and PPO stages",
    ),
    Case(
        {"val_size": 0.5, "load_best_model_at_end": True},
        "load_best_model_at_end",
        "save and eval strategy to match",
    ),
    Case(
        {
            "val_size": 0.5,
            "eval_strategy": "steps",
            "eval_steps": 3,
            "save_steps": 10,
            "load_best_model_at_end": True,
        },
        "load_best_model_at_end",
        "round multiple of the evaluation",
    ),
    Case(
        {"lr_scheduler_type": "reduce_lr_on_plateau"},
        "lr_scheduler_type",
        "requires an eval strategy",
    ),
    Case({"image_max_pixels": 9}, "image_max_pixels", "image_min_pixels"),
    Case({"video_max_pixels": 9}, "video_max_pixels", "video_min_pixels"),
)
"""Those that the release's parser itself refuses."""

LATER = (
    Case({"pissa_init": True, "additional_target": "lm_head"}, "pissa_init"),
    Case({"finetuning_type": "oft", "use_unsloth": True}, "use_unsloth"),
    Case({"pure_bf16": True, "deepspeed": "zero3"}, "pure_bf16"),
    Case({**EVALUATED, "early_stopping_steps": 3}, "early_stopping_steps"),
    Case({"warmup_ratio": 0.1, "warmup_steps": 9}, "warmup_ratio"),
    Case({"mixture_of_depths": "convert", "finetuning_type": "full"}, "mixture_of_depths"),
    Case({"quantization_bit": 4, "quantization_method": "hqq"}, "quantization_method"),
)
"""Those that fail where its parser is not asked, or not on a processor, or say two things."""

GOOD: tuple[dict[str, Any], ...] = (
    {},
    {"use_dora": True},
    {"finetuning_type": "oft", "oft_block_size": 16},
    {"use_rslora": True},
    {"pissa_init": True, "pissa_convert": True},
    {"loraplus_lr_ratio": 16.0},
    {"stage": "dpo", "pref_loss": "simpo", "pissa_init": True},
    {"stage": "pt", "packing": True},
    {"neat_packing": True, "neftune_noise_alpha": 5.0},
    {"streaming": True, "max_steps": 9, "val_size": 1},
    {"finetuning_type": "full", "use_badam": True},
    {"finetuning_type": "full", "use_muon": True},
    {"finetuning_type": "freeze", "use_llama_pro": True},
    {**EVALUATED, "load_best_model_at_end": True, "early_stopping_steps": 3},
    {**EVALUATED, "eval_steps": 5, "save_steps": 10, "load_best_model_at_end": True},
    {"val_size": 0.5, "compute_accuracy": True},
    {**EVALUATED, "lr_scheduler_type": "reduce_lr_on_plateau"},
    {"interleave_probs": "1.0", "mix_strategy": "interleave_under"},
    {"warmup_ratio": 0.1, "lr_scheduler_type": "warmup_stable_decay"},
)
"""Runs that the release takes."""

SHARED: tuple[dict[str, Any], ...] = (
    {"fsdp": "full_shard"},
    {"fsdp": "full_shard", "offload": "all", "finetuning_type": "full"},
    {"fsdp": "shard_grad_op", "stage": "dpo"},
    {"fsdp": "full_shard", "quantization_bit": 4},
    {"deepspeed": "zero2", "offload": "optimizer", "finetuning_type": "full"},
    {"deepspeed": "zero3", "offload": "all"},
)
"""Those that it takes on accelerators; the settings refuse them on processors."""
