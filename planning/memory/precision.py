"""Number formats of a run, as LLaMA-Factory 0.9.5 chooses them (`hparams`, `model/adapter.py`)."""

from dataclasses import dataclass

from plan.model_shape import ModelShape
from stack_configs.settings.training_runs import TrainingRunSettings

HALF, SINGLE = 2, 4
"""Bytes of a number."""


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Bytes of a number, by what it is for."""

    frozen: int
    """Weights that stay as they are, in the format of the model's files."""
    trained: int
    """Weights that are trained, their gradients and the optimizer's figures."""
    computed: int
    """What layers compute from one another."""
    is_mixed: bool
    """Whether weights are converted on the way (autocast)."""


def precision_of(run: TrainingRunSettings, shape: ModelShape) -> Precision:
    """LLaMA-Factory trains 32-bit copies, unless it is told to keep to 16 bits."""
    keeps_half = bool(run.arguments.get("pure_bf16") or run.arguments.get("use_badam"))
    is_mixed = run.precision != "fp32" and not run.arguments.get("pure_bf16")
    trains_all = run.finetuning_type == "full" and not keeps_half
    plain = SINGLE if trains_all else shape.weight_bytes
    return Precision(
        frozen=shape.weight_bytes,
        trained=shape.weight_bytes if keeps_half else SINGLE,
        computed=HALF if is_mixed else plain,
        is_mixed=is_mixed,
    )
