"""Runs that may not fit into the GPUs' memory, before an hour of it is paid for (T5, H1)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from plan.host import HostFacts
from plan.model_shape import ModelShape
from plan.problem import Problem
from planning.advice.devices import found_gb, processes, used
from planning.advice.serving import held_while_training_gb
from planning.memory.estimate import MemoryEstimate, estimate_gpu_memory
from planning.memory.model_size import shape_of, weights_of
from stack_configs.settings.consistency import HARDWARE_OF
from stack_configs.settings.host import Hardware
from stack_configs.settings.root import Settings
from stack_configs.settings.training_runs import TrainingRunSettings

PER_DEVICE_TOLERANCE = 0.1
"""How far two figures for the memory of one card may lie apart and mean the same card.

nvidia-smi tells 16.1 GB of a T4, torch 15.7, the shop 16; error correction costs some cards a
sixteenth.
"""

Changes = Mapping[str, object]

WAYS_OUT: Mapping[str, Changes] = {
    "gradient_checkpointing: true": {"gradient_checkpointing": True},
    "per_device_train_batch_size: 1, with more gradient_accumulation_steps": {
        "per_device_train_batch_size": 1
    },
    "deepspeed: zero2": {"deepspeed": "zero2"},
    "deepspeed: zero3": {"deepspeed": "zero3"},
    "finetuning_type: lora": {"finetuning_type": "lora"},
    "quantization_bit: 4 (QLoRA)": {"finetuning_type": "lora", "quantization_bit": 4},
    "cutoff_len: 2048, which cuts longer rows": {"cutoff_len": 2048},
}
"""Changes of a run, by how an operator writes them; first what changes least about the training."""


@dataclass(frozen=True, kw_only=True)
class GpuRoom:
    """What each GPU has for a run, and what there is on it already."""

    memory_gb: float
    held_gb: float
    processes: int | None
    """How many train together; None where nobody knows the number of GPUs."""

    def needed(self, run: TrainingRunSettings, shape: ModelShape) -> MemoryEstimate | None:
        """What a run needs on each GPU; None where that depends on an unknown number."""
        return estimate_gpu_memory(run, shape, processes=self.processes)

    def lacks(self, needed: MemoryEstimate | None) -> bool:
        """Whether what is needed does not fit beside what is there."""
        return needed is not None and falls_short(self.memory_gb, needed.total + self.held_gb)


def falls_short(memory_gb: float, wanted_gb: float) -> bool:
    """Whether a device has too little memory: the one ruler, whoever took the figure."""
    return memory_gb < wanted_gb * (1 - PER_DEVICE_TOLERANCE)


def estimates(settings: Settings, facts: HostFacts) -> dict[str, MemoryEstimate]:
    """What each run will need on each GPU, by model and run; on a host with GPUs alone."""
    if settings.host.hardware == "cpu":
        return {}
    together = processes(settings.host, found_gb(facts))
    return {
        f"{model.name}, {run.name}": needed
        for model in settings.models
        if (shape := shape_of(model.base_model, facts)) is not None
        for run in model.training_runs
        if (needed := estimate_gpu_memory(run, shape, processes=together)) is not None
    }


def about_gpu_memory(
    settings: Settings, facts: HostFacts, found: Sequence[float] | None
) -> Iterator[Problem]:
    """What the estimates say. `found`: the memory of each GPU; None where nobody could look.

    Nothing where neither the settings nor the host tell how much memory there is.
    """
    host = settings.host
    if host.hardware == "cpu":
        return
    smallest, declared = min(used(host, found), default=None), host.gpu.memory_gb
    if declared is not None and smallest is not None and falls_short(smallest, declared):
        yield Problem(
            "host.gpu.memory_gb",
            f"{declared:g}",
            f"the smallest GPU has {smallest:.1f} GB, so that the estimates are too hopeful",
            "Remove it: they take what the driver tells",
        )
    memory = declared if declared is not None else smallest
    if memory is None:
        return
    source = "host.gpu.memory_gb is" if declared is not None else "the smallest GPU has"
    told = f"{source} {memory:.3g} GB"
    room = GpuRoom(
        memory_gb=memory,
        held_gb=held_while_training_gb(settings, facts),
        processes=processes(host, found),
    )
    for model_index, model in enumerate(settings.models):
        shape = shape_of(model.base_model, facts)
        for run_index, run in enumerate(model.training_runs):
            if shape is None or not room.lacks(needed := room.needed(run, shape)):
                continue
            serving = (
                f" beside the {room.held_gb:.0f} GB of what serves meanwhile"
                if room.held_gb
                else ""
            )
            ways = list(_ways_out(run, shape, room, host.hardware))
            yield Problem(
                f"models[{model_index}].training_runs[{run_index}]",
                f"{run.finetuning_type} tuning of {weights_of(shape) / 1e9:.3g}B weights",
                f"it needs about {needed} on each GPU{serving}, and {told}",
                f"Set {', or '.join(ways)}"
                if ways
                else "Take larger GPUs, or a smaller base model",
            )


def _ways_out(
    run: TrainingRunSettings, shape: ModelShape, room: GpuRoom, hardware: Hardware
) -> Iterator[str]:
    """Settings that the stack accepts, and with which the run fits."""
    needed = room.needed(run, shape)
    if needed is not None and room.held_gb and not falls_short(room.memory_gb, needed.total):
        yield "host.gpu.while_training: free"
    for way, changes in WAYS_OUT.items():
        changed = run.model_copy(update=dict(changes))
        if _is_accepted(run, changes, room, hardware) and not room.lacks(
            room.needed(changed, shape)
        ):
            yield way


def _is_accepted(
    run: TrainingRunSettings, changes: Changes, room: GpuRoom, hardware: Hardware
) -> bool:
    if "deepspeed" in changes:
        several = room.processes is not None and room.processes > 1
        if run.fsdp or run.offload:
            return False
        return several and run.quantization_bit is None and not run.use_unsloth
    if "quantization_bit" in changes:
        return hardware in HARDWARE_OF["quantization_bit"] and run.deepspeed != "zero3"
    if "finetuning_type" in changes:
        return not run.trains_adapter
    if "cutoff_len" in changes:
        return run.cutoff_len > 2048  # noqa: PLR2004 - the change's own number
    return any(getattr(run, name) != value for name, value in changes.items())
