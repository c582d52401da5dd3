"""GPU memory that a training run needs on each device, part by part (T5)."""

from dataclasses import dataclass

from plan.model_shape import ModelShape
from planning.memory.activations import activation_peak
from planning.memory.model_size import layer_weights, linears_of, weights_of
from planning.memory.optimizer import OptimizerMemory, optimizer_memory
from planning.memory.precision import SINGLE, Precision, precision_of
from planning.memory.sharding import States, sharding_of, shared_states
from planning.memory.trained_part import TrainedPart, trained_part
from stack_configs.settings.training_runs import TrainingRunSettings

GB = 1e9
CONTEXT_GB = 0.6
"""The driver's own, for a process that computes."""
FRAGMENTED = 0.05
"""Share of what comes and goes that PyTorch's allocator cannot use again."""
SCALES = 1.03
"""Of quantized weights, with the scales that belong to them: a fortieth of 4-bit ones in
bitsandbytes, whose scales are quantized too, and of GPTQ's with one for 128."""
REFERENCE_FREE_LOSSES = ("orpo", "simpo")


@dataclass(frozen=True, kw_only=True)
class MemoryEstimate:
    """What a run holds on one device at its peak, in GB."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    """What a batch or a step needs, for as long as it lasts."""
    overhead: float
    """The driver's context, and what the allocator cannot use."""

    @property
    def allocated(self) -> float:
        """What PyTorch gives to tensors."""
        return self.weights + self.gradients + self.optimizer + self.activations

    @property
    def total(self) -> float:
        """What the device must have."""
        return self.allocated + self.overhead

    def __str__(self) -> str:
        parts = ("weights", "gradients", "optimizer", "activations", "overhead")
        told = ", ".join(f"{getattr(self, part):.1f} {part}" for part in parts)
        return f"{self.total:.1f} GB ({told})"


def estimate_gpu_memory(
    run: TrainingRunSettings, shape: ModelShape, *, processes: int | None
) -> MemoryEstimate | None:
    """The peak of a run; None where devices share, and nobody knows how many they are."""
    sharding = sharding_of(run)
    if processes is None and sharding is not None:
        return None
    part, precision = trained_part(run, shape), precision_of(run, shape)
    optimizer = optimizer_memory(run, shape, part, precision)
    frozen = _frozen_bytes(run, shape, part, precision)
    passing = activation_peak(run, shape, part, precision)
    if sharding is None:
        states = _states_alone(part, precision, optimizer, frozen, processes or 1)
        passing = max(passing, optimizer.step)
    else:
        states = shared_states(
            sharding,
            processes=processes or 1,
            frozen=frozen,
            trained=part.weights,
            layer=max(layer_weights(shape), shape.vocabulary * shape.hidden),
            states=optimizer.states,
        )
    return MemoryEstimate(
        weights=states.weights / GB,
        gradients=states.gradients / GB,
        optimizer=states.optimizer / GB,
        activations=passing / GB,
        overhead=CONTEXT_GB + FRAGMENTED * passing / GB,
    )


def _states_alone(
    part: TrainedPart,
    precision: Precision,
    optimizer: OptimizerMemory,
    frozen: float,
    processes: int,
) -> States:
    """Of a device that holds everything. Several that do send gradients from a second copy."""
    return States(
        weights=frozen + part.weights * precision.trained,
        gradients=optimizer.gradients * (2 if processes > 1 else 1),
        optimizer=optimizer.states,
    )


def _frozen_bytes(
    run: TrainingRunSettings,
    shape: ModelShape,
    part: TrainedPart,
    precision: Precision,
) -> float:
    """Of all weights that are there and not trained."""
    whole = float(weights_of(shape) * precision.frozen)
    bits = run.quantization_bit or shape.bits
    if bits is not None:
        quantized = shape.layers * sum(linear.weights for linear in linears_of(shape))
        whole -= quantized * (precision.frozen - SCALES * bits / 8)
    frozen = whole - part.own * precision.frozen
    if _has_reference(run):
        frozen += whole
    if run.stage in ("rm", "ppo"):
        frozen += shape.hidden * SINGLE  # the head that gives a value
    if run.stage == "ppo":
        # The rewards' judge is an adapter on the same weights, or a model beside them.
        frozen += part.added * precision.trained if part.is_beside else whole
    return frozen


def _has_reference(run: TrainingRunSettings) -> bool:
    """Whether a second model stands beside the policy: with LoRA the policy without its adapter is
    the reference."""
    if run.stage == "dpo" and run.arguments.get("pref_loss") in REFERENCE_FREE_LOSSES:
        return False
    return run.stage in ("dpo", "kto", "ppo") and run.finetuning_type != "lora"
