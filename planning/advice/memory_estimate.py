"""GPU memory that a run will need: LLaMA-Factory's own table, and what ZeRO shares of it (T5)."""

import re
from dataclasses import dataclass

from stack_configs.settings.models import BaseModelSettings
from stack_configs.settings.training_runs import TrainingRunSettings

PER_DEVICE_TOLERANCE = 0.1
"""How far two figures for the memory of one card may lie apart and mean the same card.

nvidia-smi tells 16.1 GB of a T4, torch 15.7, the shop 16; error correction costs some cards a
sixteenth.
"""


@dataclass(frozen=True, kw_only=True)
class GbPerBillion:
    """What a run holds on its device, in GB for each billion of weights, in batches of one."""

    total: float
    """LLaMA-Factory's README, "Hardware Requirement", column 7B."""
    weights: float
    training_state: float = 0
    """Gradients and the optimizer's figures; nothing to speak of where few weights are trained."""

    def on_each(self, processes: int, *, zero_stage: int) -> float:
        """The share of one process: ZeRO-2 parts the training state, ZeRO-3 the weights too."""
        parted = self.training_state if zero_stage > 1 else 0.0
        parted += self.weights if zero_stage > 2 else 0.0  # noqa: PLR2004 - the stage's number
        return self.total - parted + parted / processes


# Adam in mixed precision: 2 bytes for a weight, 2 for its gradient, 12 for the optimizer.
FULL = GbPerBillion(total=120 / 7, weights=2, training_state=14)
FULL_PURE_BF16 = GbPerBillion(total=60 / 7, weights=2, training_state=6)
FEW_WEIGHTS = GbPerBillion(total=16 / 7, weights=2)
"""Freeze, LoRA, OFT, GaLore, APOLLO, BAdam."""
QUANTIZED = {
    8: GbPerBillion(total=10 / 7, weights=1),
    4: GbPerBillion(total=6 / 7, weights=0.5),
}
"""QLoRA, by its bits."""

ZERO_STAGES = {None: 0, "zero2": 2, "zero3": 3}


def parameters_b(settings: BaseModelSettings) -> float | None:
    """Billions of weights: as set, or as the model's name says (`Meta-Llama-3-8B`)."""
    if settings.parameters_b is not None:
        return settings.parameters_b
    source = settings.hub or settings.path or ""
    found = re.search(r"(?<![0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)[bB](?![a-zA-Z0-9])", source)
    # `8x7B`: every expert lies in memory; what they share makes this a little too much.
    return int(found[1] or 1) * float(found[2]) if found else None


def estimate_gpu_memory_gb(
    run: TrainingRunSettings, *, billions: float, processes: int | None
) -> float | None:
    """GB on each device; None where ZeRO shares among a number of processes that is not known."""
    zero_stage = ZERO_STAGES[run.deepspeed]
    if processes is None and zero_stage:
        return None
    return billions * _row(run).on_each(processes or 1, zero_stage=zero_stage)


def falls_short(memory_gb: float, wanted_gb: float) -> bool:
    """Whether a device has too little memory: the one ruler, whoever took the figure."""
    return memory_gb < wanted_gb * (1 - PER_DEVICE_TOLERANCE)


def _row(run: TrainingRunSettings) -> GbPerBillion:
    if run.quantization_bit is not None:
        return QUANTIZED[run.quantization_bit]
    if run.finetuning_type != "full":
        return FEW_WEIGHTS
    if any(run.arguments.get(f"use_{saver}") for saver in ("galore", "apollo", "badam")):
        return FEW_WEIGHTS
    return FULL_PURE_BF16 if run.arguments.get("pure_bf16") else FULL
