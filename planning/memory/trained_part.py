"""Which weights a run trains: all, those of a few layers, or new ones beside them (T4)."""

from dataclasses import dataclass

from plan.model_shape import ModelShape
from planning.memory.model_size import Linear, layer_weights, linears_of, weights_of
from stack_configs.settings.training_runs import TrainingRunSettings

FREEZE_TRAINABLE_LAYERS = 2
OFT_BLOCK = 32
"""Defaults of LLaMA-Factory 0.9.5."""


@dataclass(frozen=True, kw_only=True)
class TrainedPart:
    """What a run trains."""

    own: float = 0
    """Weights of the model that are trained themselves."""
    added: float = 0
    """Weights beside the model's, all of them trained."""
    layers: int
    """Layers that the gradients pass through."""
    linears: frozenset[str] = frozenset()
    """Linear layers whose inputs must be kept for their gradients."""
    with_norms: bool = False
    """Whether the norms are trained too."""
    passes_frozen: bool = False
    """Whether gradients pass through layers that hold nothing to train: LLaMA-Factory computes only
    the others again."""
    is_beside: bool = False
    """Whether the linear layers are trained by adapters."""
    is_decomposed: bool = False
    """Whether the adapters part a weight's length from its direction (DoRA)."""

    @property
    def weights(self) -> float:
        """How many weights are trained."""
        return self.own + self.added


def trained_part(run: TrainingRunSettings, shape: ModelShape) -> TrainedPart:
    """What a run trains of a model of this shape."""
    every = frozenset(linear.name for linear in linears_of(shape))
    if run.finetuning_type == "full":
        # BAdam trains one layer after the other, and any of them may be the first.
        one_layer = bool(run.arguments.get("use_badam"))
        return TrainedPart(
            own=layer_weights(shape) if one_layer else weights_of(shape),
            layers=shape.layers,
            linears=every,
            with_norms=True,
            passes_frozen=one_layer,
        )
    if run.finetuning_type == "freeze":
        told = int(run.arguments.get("freeze_trainable_layers", FREEZE_TRAINABLE_LAYERS))
        count = min(abs(told), shape.layers)
        # The first layers are far from the loss: gradients pass through all the others.
        return TrainedPart(
            own=count * layer_weights(shape),
            layers=count if told > 0 else shape.layers,
            linears=every,
            with_norms=True,
            passes_frozen=told < 0,
        )
    targets = [linear for linear in linears_of(shape) if _is_target(linear, run, shape)]
    added = shape.layers * sum(_adapter_weights(linear, run) for linear in targets)
    added += len(_whole_modules(run)) * shape.vocabulary * shape.hidden
    return TrainedPart(
        added=added,
        layers=shape.layers,
        linears=frozenset(linear.name for linear in targets),
        is_beside=True,
        is_decomposed=bool(run.arguments.get("use_dora")),
    )


def _is_target(linear: Linear, run: TrainingRunSettings, shape: ModelShape) -> bool:
    """Experts are no linear layers of their own, and adapters leave them out."""
    if shape.experts > 1 and linear.copies > 1:
        return False
    targets = {name.strip() for name in run.lora_target.split(",")}
    every = {each.name for each in linears_of(shape)}
    # Names of another architecture: as many as there are, for want of better knowledge.
    return "all" in targets or linear.name in targets or not targets & every


def _adapter_weights(linear: Linear, run: TrainingRunSettings) -> float:
    if run.finetuning_type == "oft":
        block = int(run.arguments.get("oft_block_size", OFT_BLOCK)) or linear.inputs
        return linear.inputs * (block - 1) / 2
    lengths = linear.outputs if run.arguments.get("use_dora") else 0
    return run.lora_rank * (linear.inputs + linear.outputs) + lengths


def _whole_modules(run: TrainingRunSettings) -> tuple[str, ...]:
    """Embedding and output layer, of which a copy is trained."""
    known = ("embed_tokens", "lm_head")
    named = tuple(name for name in known if name in run.additional_target)
    return named or (known if run.arguments.get("resize_vocab") else ())
