"""How long a training will take, by what earlier ones on the same host took.

Nothing is told where there were none. A batch takes a fixed time and a time for each operation, as
those earlier trainings show that are most like the one to come; its start and its end take what
theirs took.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import yaml

from plan.container import Accelerator
from plan.training_record import TrainingRecord

LATEST = 8
"""Earlier trainings that count: a host, and what else it does, changes with time."""
OPERATIONS_PER_WEIGHT = 6
"""For each token, as the trainer's `total_flos` counts them: for all methods alike."""

KERNELS = (
    *("bf16", "fp16", "pure_bf16", "quantization_bit", "quantization_method", "flash_attn"),
    *("use_unsloth", "use_unsloth_gc", "enable_liger_kernel", "fsdp", "optim", "use_badam"),
    *("use_galore", "use_apollo", "torch_compile", "shift_attn"),
)
"""Arguments that decide how fast one operation is."""
METHOD = (
    *("stage", "finetuning_type", "disable_gradient_checkpointing", "use_dora", "packing"),
    *("neat_packing", "freeze_trainable_layers", "ref_model", "pref_loss"),
    *("eval_strategy", "eval_steps", "val_size", "eval_dataset"),
)
"""Arguments that decide how much is computed for each token."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """A training to come, in the words of the records."""

    arguments: str
    """LLaMA-Factory's, as YAML."""
    accelerator: Accelerator
    steps: int
    tokens: float
    """Foretold, padding included."""
    weights: float
    """That the trainer counts: all but the embedding's."""


@dataclass(frozen=True, kw_only=True)
class TrainingTime:
    """A foretold time."""

    seconds: float
    """Of its container, from its start to its end."""
    tokens: float
    """As they were foretold, corrected by what earlier trainings of the same model have read."""
    trainings: int
    """That it was made by."""
    of: str
    """What those have in common with it, in words."""


def foretell_time(training: Training, records: Sequence[TrainingRecord]) -> TrainingTime | None:
    """None where no earlier training on such devices is known."""
    asked = yaml.safe_load(training.arguments)
    seen = [_Seen.of(record) for record in records if record.accelerator == training.accelerator]
    there = [each for each in seen if each is not None]
    for likeness, words in LIKENESSES:
        alike = [each for each in there if likeness(each.arguments) == likeness(asked)][-LATEST:]
        if not alike:
            continue
        tokens = training.tokens
        if likeness is _of_the_model:
            tokens *= _correction(alike, training.weights)
        batches = _batches(training.steps, asked)
        operations = OPERATIONS_PER_WEIGHT * tokens * training.weights * _effort(asked)
        fixed, each = _pace(alike)
        seconds = batches * fixed + operations * each + median(like.beside for like in alike)
        return TrainingTime(seconds=seconds, tokens=tokens, trainings=len(alike), of=words)
    return None


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """A finished training."""

    arguments: Mapping[str, Any]
    batches: float
    operations: float
    counted: float
    """Operations as the trainer counts them."""
    seconds: float
    """In the trainer."""
    beside: float
    """Seconds before and after."""
    tokens: float | None
    """As they were foretold."""

    @classmethod
    def of(cls, record: TrainingRecord) -> "_Seen | None":
        """None of one whose figures nothing follows from."""
        seconds, counted = record.figure("train_runtime"), record.figure("total_flos")
        arguments = yaml.safe_load(record.arguments)
        if not seconds or not counted or not record.steps or not isinstance(arguments, dict):
            return None
        return cls(
            arguments=arguments,
            batches=_batches(record.steps, arguments),
            operations=counted * _effort(arguments),
            counted=counted,
            seconds=seconds,
            beside=max(0.0, (record.seconds or seconds) - seconds),
            tokens=record.tokens,
        )


def _batches(steps: int, arguments: Mapping[str, Any]) -> float:
    return float(steps * arguments.get("gradient_accumulation_steps", 1))


def _effort(arguments: Mapping[str, Any]) -> float:
    """What is computed, as a multiple of what the trainer counts.

    Of each weight: two operations forward and two back, two more where it is trained itself, where
    its layer is computed again, and where a reference is computed beside it.
    """
    trained = arguments.get("finetuning_type") == "full"
    again = not arguments.get("disable_gradient_checkpointing")
    beside = arguments.get("stage") in ("dpo", "kto")
    return (4 + 2 * trained + 2 * again + 2 * beside) / OPERATIONS_PER_WEIGHT


def _correction(alike: Sequence[_Seen], weights: float) -> float:
    """What trainings have read, as a multiple of what they were foretold to read."""
    found = [
        each.counted / OPERATIONS_PER_WEIGHT / weights / each.tokens
        for each in alike
        if each.tokens
    ]
    return median(found) if found else 1.0


def _pace(alike: Sequence[_Seen]) -> tuple[float, float]:
    """Seconds of a batch, and of an operation: those that miss the least share of any batch's time.

    The method of least squares, without a negative time.
    """
    # Shares of a batch's time: for each training, its batches and operations in a second.
    points = [(each.batches / each.seconds, each.operations / each.seconds) for each in alike]
    aa, ab, bb = (sum(one[i] * one[j] for one in points) for i, j in ((0, 0), (0, 1), (1, 1)))
    a, b = sum(one[0] for one in points), sum(one[1] for one in points)
    size = aa * bb - ab * ab
    if size > ALIKE * aa * bb:
        fixed, each = (a * bb - b * ab) / size, (b * aa - a * ab) / size
        if fixed >= 0 and each >= 0:
            return fixed, each
        if each < 0:
            return a / aa, 0.0
    return 0.0, b / bb


ALIKE = 1e-3
"""Trainings whose batches differ less in size than this say nothing of a fixed time."""


def _of_the_kernels(arguments: Mapping[str, Any]) -> Hashable:
    return (bool(arguments.get("deepspeed")), *_values(arguments, KERNELS))


def _of_the_method(arguments: Mapping[str, Any]) -> Hashable:
    return (_of_the_kernels(arguments), *_values(arguments, METHOD))


def _of_the_model(arguments: Mapping[str, Any]) -> Hashable:
    return (_of_the_method(arguments), *_values(arguments, ("model_name_or_path",)))


def _values(arguments: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(arguments.get(name)) for name in names)


LIKENESSES: tuple[tuple[Callable[[Mapping[str, Any]], Hashable], str], ...] = (
    (_of_the_model, "this model by this method"),
    (_of_the_method, "another model by this method"),
    (_of_the_kernels, "another method"),
)
"""The nearest first: what trainings have in common."""
