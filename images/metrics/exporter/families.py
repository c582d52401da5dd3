"""Every metric: name, kind, labels and meaning. Dashboard and manual are held to this list."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Family:
    """A metric. Prometheus calls one of kind `counter` by its name with `_total` at the end."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"

    @property
    def exposed(self) -> str:
        """The name that a query asks for."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One value of a family, with a label's value for each of its labels."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


STATES = ("waiting", "started", "done")
"""Of a step. One that has started and is not done is at work, or was interrupted: then nothing of
it is written any more."""

_STEP = ("step", "kind")
_RUN = ("step",)
_GPU = ("gpu", "name")
_VOLUME = ("volume",)
_MODEL = ("model",)
_REQUEST = ("method", "path", "status")

FAMILIES: tuple[Family, ...] = (
    Family(
        name="finetune_step_state",
        help="1 for the state that a step is in: waiting, started, done.",
        labels=(*_STEP, "state"),
    ),
    Family(
        name="finetune_step_seconds",
        help="How long the container of a finished step ran, or that of a started one has run.",
        labels=_STEP,
    ),
    Family(
        name="finetune_step_written_timestamp_seconds",
        help="When a started step last wrote a file, since 1970.",
        labels=_STEP,
    ),
    Family(
        name="finetune_training_steps_done",
        help="Optimizer steps that a training has done.",
        labels=_RUN,
    ),
    Family(
        name="finetune_training_steps_planned",
        help="Optimizer steps that a training will have done in the end.",
        labels=_RUN,
    ),
    Family(name="finetune_training_epoch", help="Passes over the data, with parts.", labels=_RUN),
    Family(name="finetune_training_loss", help="Loss that was logged last.", labels=_RUN),
    Family(
        name="finetune_training_eval_loss",
        help="Loss of the last evaluation while training.",
        labels=_RUN,
    ),
    Family(name="finetune_training_reward", help="Reward that was logged last.", labels=_RUN),
    Family(
        name="finetune_training_accuracy",
        help="Share of pairs in which the better answer was preferred, from 0 to 1.",
        labels=_RUN,
    ),
    Family(
        name="finetune_training_learning_rate",
        help="Learning rate that was logged last.",
        labels=_RUN,
    ),
    Family(
        name="finetune_training_tokens",
        help="Tokens that a training has read.",
        labels=_RUN,
        kind="counter",
    ),
    Family(
        name="finetune_training_tokens_per_second",
        help="Tokens that a training reads in a second, since it was started or resumed.",
        labels=_RUN,
    ),
    Family(
        name="finetune_training_left_seconds",
        help="Time that is left, at the speed since the training was started or resumed.",
        labels=_RUN,
    ),
    Family(name="finetune_gpu_up", help="1 where nvidia-smi has answered, 0 where it has not."),
    Family(
        name="finetune_gpu_utilization_ratio",
        help="Share of the time in which the GPU computed, from 0 to 1.",
        labels=_GPU,
    ),
    Family(name="finetune_gpu_memory_used_bytes", help="Memory of the GPU in use.", labels=_GPU),
    Family(name="finetune_gpu_memory_bytes", help="Memory that the GPU has.", labels=_GPU),
    Family(name="finetune_gpu_temperature_celsius", help="Of the GPU.", labels=_GPU),
    Family(name="finetune_gpu_power_watts", help="That the GPU draws.", labels=_GPU),
    Family(name="finetune_volume_bytes", help="Disk that a volume's files take.", labels=_VOLUME),
    Family(
        name="finetune_volume_disk_bytes",
        help="Size of the disk that a volume lies on.",
        labels=_VOLUME,
    ),
    Family(
        name="finetune_volume_disk_free_bytes",
        help="What is free on the disk that a volume lies on.",
        labels=_VOLUME,
    ),
    Family(
        name="finetune_ollama_requests",
        help="Requests that Ollama has answered since the exporter was started.",
        labels=_REQUEST,
        kind="counter",
    ),
    Family(
        name="finetune_ollama_request_seconds",
        help="How long Ollama took for all of these together, to the end of each answer.",
        labels=_REQUEST,
        kind="counter",
    ),
    Family(name="finetune_ollama_up", help="1 where Ollama has answered, 0 where it has not."),
    Family(
        name="finetune_ollama_answer_seconds",
        help="How long Ollama took to say which models it has loaded.",
    ),
    Family(
        name="finetune_ollama_loaded_bytes",
        help="Memory that a loaded model takes.",
        labels=_MODEL,
    ),
    Family(
        name="finetune_ollama_loaded_gpu_bytes",
        help="Part of it that lies on GPUs.",
        labels=_MODEL,
    ),
)

BY_NAME: Mapping[str, Family] = {family.name: family for family in FAMILIES}
