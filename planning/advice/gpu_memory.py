"""Runs that may not fit into the GPUs' memory, before an hour of it is paid for (T5, H1)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from plan.problem import Problem
from planning.advice.memory_estimate import estimate_gpu_memory_gb, falls_short, parameters_b
from planning.advice.serving import held_while_training_gb
from stack_configs.settings.consistency import HARDWARE_OF
from stack_configs.settings.host import Hardware, HostSettings
from stack_configs.settings.root import Settings
from stack_configs.settings.training_runs import TrainingRunSettings

Changes = Mapping[str, object]

WAYS_OUT: Mapping[str, Changes] = {
    "deepspeed: zero2": {"deepspeed": "zero2"},
    "deepspeed: zero3": {"deepspeed": "zero3"},
    "finetuning_type: lora": {"finetuning_type": "lora"},
    "quantization_bit: 4 (QLoRA)": {"finetuning_type": "lora", "quantization_bit": 4},
}
"""Changes of a run, by how an operator writes them; first what changes least about the training."""


@dataclass(frozen=True, kw_only=True)
class GpuRoom:
    """What each GPU has for a run, and what there is on it already."""

    memory_gb: float
    held_gb: float
    processes: int | None
    """How many train together; None where nobody knows the number of GPUs."""

    def needed_gb(self, run: TrainingRunSettings, billions: float) -> float | None:
        """GB that a run needs on each GPU; None where that depends on an unknown number."""
        return estimate_gpu_memory_gb(run, billions=billions, processes=self.processes)

    def lacks(self, needed_gb: float | None) -> bool:
        """Whether what is needed does not fit beside what is there."""
        return needed_gb is not None and falls_short(self.memory_gb, needed_gb + self.held_gb)


def about_gpu_memory(settings: Settings, found_gb: Sequence[float] | None) -> Iterator[Problem]:
    """What the estimates say. `found_gb`: the memory of each GPU; None where nobody could look.

    Nothing where neither the settings nor the host tell how much memory there is.
    """
    host = settings.host
    if host.hardware == "cpu":
        return
    used = _used(host, found_gb)
    smallest, declared = min(used, default=None), host.gpu.memory_gb
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
        held_gb=held_while_training_gb(settings),
        processes=_processes(host, used),
    )
    for model_index, model in enumerate(settings.models):
        billions = parameters_b(model.base_model)
        for run_index, run in enumerate(model.training_runs):
            if billions is None or not room.lacks(needed := room.needed_gb(run, billions)):
                continue
            serving = (
                f" beside the {room.held_gb:.0f} GB of what serves meanwhile"
                if room.held_gb
                else ""
            )
            ways = list(_ways_out(run, billions, room, host.hardware))
            yield Problem(
                f"models[{model_index}].training_runs[{run_index}]",
                f"{run.finetuning_type} tuning of {billions:g}B weights",
                f"it needs about {needed:.0f} GB on each GPU{serving}, and {told}",
                f"Set {', or '.join(ways)}"
                if ways
                else "Take larger GPUs, or a smaller base model",
            )


def _ways_out(
    run: TrainingRunSettings, billions: float, room: GpuRoom, hardware: Hardware
) -> Iterator[str]:
    """Settings that the stack accepts, and with which the run fits."""
    needed = room.needed_gb(run, billions)
    if needed is not None and room.held_gb and not falls_short(room.memory_gb, needed):
        yield "host.gpu.while_training: free"
    for way, changes in WAYS_OUT.items():
        changed = run.model_copy(update=dict(changes))
        if _is_accepted(run, changes, room, hardware) and not room.lacks(
            room.needed_gb(changed, billions)
        ):
            yield way


def _is_accepted(
    run: TrainingRunSettings, changes: Changes, room: GpuRoom, hardware: Hardware
) -> bool:
    if "deepspeed" in changes:
        several = room.processes is not None and room.processes > 1
        return several and run.quantization_bit is None and not run.use_unsloth
    if "quantization_bit" in changes:
        return hardware in HARDWARE_OF["quantization_bit"] and run.deepspeed != "zero3"
    return not run.trains_adapter


def _used(host: HostSettings, found_gb: Sequence[float] | None) -> Sequence[float]:
    if found_gb is None:
        return ()
    return found_gb if host.gpu.count == "all" else found_gb[: host.gpu.count]


def _processes(host: HostSettings, used: Sequence[float]) -> int | None:
    """One for each device, of every host of a cluster."""
    devices = len(used) if host.gpu.count == "all" else host.gpu.count
    nodes = host.cluster.nodes if host.cluster else 1
    return devices * nodes or None
