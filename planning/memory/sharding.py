"""What devices that train together share, and what they leave to the host's memory (T6)."""

from collections.abc import Mapping
from dataclasses import dataclass

from planning.memory.precision import HALF, SINGLE
from stack_configs.settings.training_runs import TrainingRunSettings


@dataclass(frozen=True, kw_only=True)
class Sharding:
    """Of what a device has a share alone, beside the optimizer's figures."""

    gradients: bool = False
    weights: bool = False
    optimizer_on_host: bool = False
    weights_on_host: bool = False


ZERO2 = Sharding()
ZERO2_OFFLOAD = Sharding(optimizer_on_host=True)
ZERO3 = Sharding(gradients=True, weights=True)
ZERO3_OFFLOAD = Sharding(gradients=True, weights=True, optimizer_on_host=True, weights_on_host=True)
"""FSDP that shards all holds what stage 3 of ZeRO holds, with offload and without."""

ZERO3_OPTIMIZER_OFFLOAD = Sharding(gradients=True, weights=True, optimizer_on_host=True)
FSDP_SHARD_GRAD_OP = Sharding(gradients=True)

SHARDINGS: Mapping[tuple[str, str | None], Sharding] = {
    ("zero2", None): ZERO2,
    ("zero2", "optimizer"): ZERO2_OFFLOAD,
    ("zero3", None): ZERO3,
    ("zero3", "optimizer"): ZERO3_OPTIMIZER_OFFLOAD,
    ("zero3", "all"): ZERO3_OFFLOAD,
    ("full_shard", None): ZERO3,
    ("full_shard", "all"): ZERO3_OFFLOAD,
    ("shard_grad_op", None): FSDP_SHARD_GRAD_OP,
    ("shard_grad_op", "all"): ZERO3_OFFLOAD,
}
"""By the run's `deepspeed` or `fsdp`, and its `offload`."""


def sharding_of(run: TrainingRunSettings) -> Sharding | None:
    """How a run shares; None where each device holds all of it."""
    shared = run.deepspeed or run.fsdp
    return SHARDINGS[shared, run.offload] if shared else None


@dataclass(frozen=True, kw_only=True)
class States:
    """Bytes that stay on a device from batch to batch."""

    weights: float
    gradients: float
    optimizer: float


def shared_states(
    sharding: Sharding,
    *,
    processes: int,
    frozen: float,
    trained: float,
    layer: float,
    states: float,
) -> States:
    """What each of several devices holds.

    `frozen` are bytes of the weights that are not trained, `trained` and `layer` numbers of
    weights: all that are trained, and those of the largest layer, which a device gathers where it
    has but a share. `states` are bytes of the optimizer's figures. Counted as DeepSpeed does itself
    (`estimate_zero2_model_states_mem_needs`, `estimate_zero3_model_states_mem_needs`): 16-bit
    weights and gradients, and 32-bit ones with the optimizer.
    """
    weights = frozen + trained * HALF
    if sharding.weights:
        weights = 0 if sharding.weights_on_host else weights / processes
        weights += layer * 2 * HALF
    if sharding.optimizer_on_host:
        return States(weights=weights, gradients=0, optimizer=0)
    return States(
        weights=weights,
        gradients=(0 if sharding.gradients else trained * HALF) + trained * SINGLE / processes,
        optimizer=(trained * SINGLE + states) / processes,
    )
