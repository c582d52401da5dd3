"""What forward and backward hold for a batch, from layer to layer and around the loss (T5).

Which tensors PyTorch keeps for the backward pass of transformers' models, and in which format,
is told by its tracker (`benchmarks/gpu_memory`).
"""

from dataclasses import dataclass
from typing import Literal

from plan.model_shape import ModelShape
from planning.memory.model_size import linears_of
from planning.memory.precision import HALF, SINGLE, Precision
from planning.memory.trained_part import TrainedPart
from stack_configs.settings.training_runs import TrainingRunSettings

Attention = Literal["plain", "masked", "flash"]
"""plain: scores of all pairs are kept. masked: PyTorch's own for rows of several lengths, which
keeps the mask and a copy of the keys for each head. flash: neither."""

PAIRED_STAGES = ("rm", "dpo")
"""A row of these is two: the answer that is preferred, and the other."""
LANGUAGE_STAGES = ("pt", "sft")
PLAIN_ATTENTION = ("gemma2",)
"""Architectures that no attention but the plain one and flash-attn's computes."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What a device works on at a time."""

    rows: int
    length: int
    """Tokens of the longest row."""

    @property
    def tokens(self) -> int:
        """Padding included."""
        return self.rows * self.length


def batch_of(run: TrainingRunSettings) -> Batch:
    """The largest batch that a run can meet."""
    pairs = 2 if run.stage in PAIRED_STAGES else 1
    return Batch(rows=run.per_device_train_batch_size * pairs, length=run.cutoff_len)


def attention_of(run: TrainingRunSettings, shape: ModelShape) -> Attention:
    """The attention that LLaMA-Factory makes of `flash_attn`."""
    if run.flash_attn in ("fa2", "fa3"):
        return "flash"
    if run.flash_attn == "disabled" or shape.model_type in PLAIN_ATTENTION:
        return "plain"
    # Rows of several lengths beside each other, or rows in a row that must not see each other.
    is_padded = batch_of(run).rows > 1 and not run.arguments.get("packing")
    return "masked" if is_padded or run.arguments.get("neat_packing") else "flash"


def activation_peak(
    run: TrainingRunSettings, shape: ModelShape, part: TrainedPart, precision: Precision
) -> float:
    """Bytes at the worst moment of a batch, of three.

    The end of the forward pass, when all layers have left what the backward pass needs and the loss
    is computed; the beginning of the backward pass, with the gradients of the loss; the backward
    pass in a layer, with nothing of the loss.
    """
    batch, attention = batch_of(run), attention_of(run, shape)
    layer = _Layer(shape=shape, part=part, precision=precision)
    whole = batch.tokens * layer.bytes_per_token(batch, attention)
    words = batch.tokens * shape.vocabulary
    converted = part.weights * HALF if precision.is_mixed else 0.0
    forward, backward = logit_bytes(run)
    if run.gradient_checkpointing and not part.passes_frozen:
        kept = float(part.layers * batch.tokens * shape.hidden * layer.stream)
        ends = (kept + converted + words * forward, kept + words * backward)
        at_work = whole
    else:
        kept = part.layers * whole + converted
        ends = (kept + words * forward, kept + words * backward)
        at_work = 0.0
    at_work += batch.tokens * layer.backward_bytes_per_token(batch, attention)
    return max(*ends, kept + at_work)


def logit_bytes(run: TrainingRunSettings) -> tuple[int, int]:
    """Bytes for each token and each word of the vocabulary, at the end of the forward pass and at
    the beginning of the backward pass."""
    if run.stage in LANGUAGE_STAGES:
        if run.arguments.get("enable_liger_kernel"):
            return 0, 0  # fused with the loss, they are never all there
        # Logits, twice as what accelerate hands on, and log-probabilities; then the gradients by
        # these two.
        return HALF + 2 * SINGLE, 3 * SINGLE
    if run.stage == "rm":
        return HALF + SINGLE, 0  # nobody reads them, and yet they are there
    # Logits and log-probabilities of the policy, and those of the reference beside them.
    return 4 * SINGLE, 3 * SINGLE


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """One layer, for one token."""

    shape: ModelShape
    part: TrainedPart
    precision: Precision

    @property
    def stream(self) -> int:
        """Bytes of a number on its way from layer to layer: an embedding that is trained in 32 bits
        gives such numbers."""
        trains_embedding = self.part.with_norms and self.part.layers == self.shape.layers
        return self.precision.trained if trains_embedding else self.precision.frozen

    def bytes_per_token(self, batch: Batch, attention: Attention) -> float:
        """What is kept for the backward pass."""
        return (
            self._norms()
            + self._linear_inputs()
            + self._attention(batch, attention)
            + 3 * self._feed_forward()
            + self._directions()
        )

    def backward_bytes_per_token(self, batch: Batch, attention: Attention) -> float:
        """What the backward pass itself makes: gradients of the widest part."""
        scores = 0.0
        if attention == "plain":
            scores = batch.length * self.shape.heads * (SINGLE + self.precision.computed)
        return 2 * self._feed_forward() + scores

    def _norms(self) -> float:
        """Two, computed in 32 bits; trained ones keep their result as well."""
        result = self.stream if self.part.with_norms else 0
        return 2.0 * self.shape.hidden * (SINGLE + result)

    def _linear_inputs(self) -> float:
        """Inputs of the linear layers that are trained.

        Where they are converted first each keeps a copy of its own.
        """
        size = self.precision.computed
        is_converted = self.precision.is_mixed and (self.part.is_beside or self.stream == SINGLE)
        if self.part.is_beside and not self.precision.is_mixed:
            size, is_converted = self.precision.trained, self.precision.trained != size
        seen: set[str] = set()
        total = 0.0
        for linear in linears_of(self.shape):
            source = SHARED_INPUTS.get(linear.name, linear.name)
            if linear.name in self.part.linears and (is_converted or source not in seen):
                seen.add(source)
                total += linear.inputs * size
        return total

    def _directions(self) -> float:
        """What DoRA scales: the outputs of the layer itself and of the adapter."""
        if not self.part.is_decomposed:
            return 0
        targets = [each for each in linears_of(self.shape) if each.name in self.part.linears]
        return 2 * self.precision.computed * sum(linear.outputs for linear in targets)

    def _attention(self, batch: Batch, attention: Attention) -> float:
        size, length = self.precision.computed, batch.length
        queries = self.shape.heads * self.shape.head_size
        keys = self.shape.kv_heads * self.shape.head_size
        if attention == "flash":
            return size * 2 * (queries + keys)
        if attention == "masked":
            return size * (4 * queries + length)
        # Queries, repeated keys and values; the scores in 32 bits and as they are used.
        return size * 3 * queries + length * self.shape.heads * (SINGLE + size)

    def _feed_forward(self) -> float:
        """One of the three that a gated layer keeps: gate, its activation, and up."""
        shape = self.shape
        return self.precision.computed * shape.intermediate * shape.active_experts


SHARED_INPUTS = {
    **dict.fromkeys(("q_proj", "k_proj", "v_proj"), "attention"),
    **dict.fromkeys(("gate_proj", "up_proj"), "feed-forward"),
}
"""Linear layers that read the same numbers."""
