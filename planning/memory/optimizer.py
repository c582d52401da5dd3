"""What optimizers hold for the weights that a run trains (T5)."""

from collections.abc import Mapping
from dataclasses import dataclass

from plan.model_shape import ModelShape
from planning.memory.model_size import embedding_weights, linears_of
from planning.memory.precision import SINGLE, Precision
from planning.memory.trained_part import TrainedPart
from stack_configs.settings.training_runs import TrainingRunSettings

PROJECTION_RANK = 16
"""Default of GaLore and APOLLO in LLaMA-Factory 0.9.5."""


@dataclass(frozen=True, kw_only=True)
class OptimizerMemory:
    """Bytes on a device that trains alone."""

    states: float
    """Figures that stay from step to step."""
    gradients: float
    """All that are there at once."""
    step: float
    """What a step takes for as long as it lasts."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What an optimizer keeps for each weight."""

    copies: float = 0
    """In the weight's own format."""
    bytes_each: float = 0
    """In a format of its own."""
    copies_at_step: float = 0
    """As many copies of all weights does a step make."""


ADAM = Figures(copies=2, copies_at_step=1)
"""`adamw_torch` takes the root of all second moments in one motion."""
OPTIMIZERS: Mapping[str, Figures] = {
    "adamw_torch_fused": Figures(copies=2),
    **dict.fromkeys(
        ("adamw_8bit", "adamw_bnb_8bit", "adamw_torch_8bit", "paged_adamw_8bit"),
        Figures(bytes_each=2),
    ),
    "adamw_torch_4bit": Figures(bytes_each=1),
    "paged_adamw_32bit": Figures(bytes_each=8),
    **dict.fromkeys(("lion_32bit", "paged_lion_32bit", "rmsprop_bnb_32bit"), Figures(bytes_each=4)),
    **dict.fromkeys(("lion_8bit", "paged_lion_8bit", "rmsprop_bnb_8bit"), Figures(bytes_each=1)),
    **dict.fromkeys(("rmsprop", "adagrad"), Figures(copies=1, copies_at_step=1)),
    **dict.fromkeys(("adafactor", "sgd"), Figures()),
}
"""By the argument `optim`; one that is not here is taken for Adam."""
ADAM_MINI = Figures(copies=1)
MUON = Figures(copies=1)


def optimizer_memory(
    run: TrainingRunSettings, shape: ModelShape, part: TrainedPart, precision: Precision
) -> OptimizerMemory:
    """What the run's optimizer holds beside the weights."""
    told, size = run.arguments, precision.trained
    if told.get("use_badam"):
        # The layer at work has a 32-bit copy, with gradients and figures in the same format.
        return OptimizerMemory(
            states=part.weights * 3 * SINGLE, gradients=part.weights * (size + SINGLE), step=0
        )
    for saver in ("galore", "apollo"):
        if told.get(f"use_{saver}"):
            layerwise = bool(told.get(f"{saver}_layerwise"))
            rank = int(told.get(f"{saver}_rank", PROJECTION_RANK))
            return _projected(shape, part, size, rank=rank, layerwise=layerwise)
    figures = OPTIMIZERS.get(str(told.get("optim", "")), ADAM)
    if told.get("use_adam_mini"):
        figures = ADAM_MINI
    elif told.get("use_muon"):
        figures = MUON
    return OptimizerMemory(
        states=part.weights * (figures.copies * size + figures.bytes_each),
        gradients=part.weights * size,
        step=part.weights * figures.copies_at_step * size,
    )


def _projected(
    shape: ModelShape, part: TrainedPart, size: int, *, rank: int, layerwise: bool
) -> OptimizerMemory:
    """GaLore and APOLLO: figures of small projections, but for embedding and output layer.

    Layer by layer, a gradient is gone as soon as it was used.
    """
    projections = shape.layers * sum(
        rank * (2 * max(linear.inputs, linear.outputs) + min(linear.inputs, linear.outputs))
        for linear in linears_of(shape)
    )
    largest = shape.vocabulary * shape.hidden
    return OptimizerMemory(
        states=(projections + 2 * embedding_weights(shape)) * size,
        gradients=(largest if layerwise else part.weights) * size,
        step=largest * size,
    )
