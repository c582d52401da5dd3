"""GPU memory that a run will need, before an hour of it is paid for (T5, H1)."""

import re

from plan.problem import Problem
from stack_configs.settings.models import BaseModelSettings
from stack_configs.settings.root import Settings
from stack_configs.settings.training_runs import TrainingRunSettings

GB_PER_BILLION = {
    "full": 120 / 7,
    "freeze": 16 / 7,
    "lora": 16 / 7,
    "qlora-8": 10 / 7,
    "qlora-4": 6 / 7,
}
"""LLaMA-Factory README, "Hardware Requirement": a 7B model takes 120, 16, 16, 10 and 6 GB."""

FULL_SHARDED = frozenset({"zero3"})


def parameters_b(settings: BaseModelSettings) -> float | None:
    """Billions of weights: as set, or as the model's name says (`Meta-Llama-3-8B`)."""
    if settings.parameters_b is not None:
        return settings.parameters_b
    source = settings.hub or settings.path or ""
    found = re.search(r"(?<![0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)[bB](?![a-zA-Z0-9])", source)
    # `8x7B`: every expert lies in memory; what they share makes this a little too much.
    return int(found[1] or 1) * float(found[2]) if found else None


def estimate_gpu_memory_gb(run: TrainingRunSettings, *, billions: float, devices: int) -> float:
    """GB on each device, for batches of one; ZeRO-3 shares the weights among the devices."""
    method = (
        f"qlora-{run.quantization_bit}" if run.quantization_bit is not None else run.finetuning_type
    )
    needed = GB_PER_BILLION[method] * billions
    return needed / devices if run.deepspeed in FULL_SHARDED else needed


def find_memory_problems(settings: Settings) -> list[Problem]:
    """Runs that will not fit into the GPU memory that `host.gpu` declares."""
    gpu = settings.host.gpu
    if settings.host.hardware == "cpu":
        return []
    devices = 1 if gpu.count == "all" else gpu.count
    problems = []
    for model_index, model in enumerate(settings.models):
        billions = parameters_b(model.base_model)
        if billions is None:
            continue
        for run_index, run in enumerate(model.training_runs):
            needed = estimate_gpu_memory_gb(run, billions=billions, devices=devices)
            if needed > gpu.memory_gb:
                problems.append(
                    Problem(
                        f"models[{model_index}].training_runs[{run_index}]",
                        f"{run.finetuning_type} tuning of {billions:g}B weights",
                        f"it needs about {needed:.0f} GB of GPU memory, and host.gpu.memory_gb "
                        f"is {gpu.memory_gb:g}",
                        "Set quantization_bit: 4 (QLoRA), finetuning_type: lora, or deepspeed: "
                        "zero3 with more GPUs; or declare the GPU's real memory",
                    )
                )
    return problems
