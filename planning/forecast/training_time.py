"""How long a training will take, by what earlier ones on the same host took.

Nothing is told where there were none. A batch takes a fixed time and a time for each operation, as
those earlier trainings show that are most like the one to come; its start and its end take what
theirs took.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
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
    is_whole: bool = True
    """Whether anybody knows what start and end take; else they are not counted."""
    tokens: float
    """As they were foretold, corrected by what earlier trainings of the same model have read."""
    trainings: int
    """That it was made by."""
    of: str
    """What those have in common with it, in words."""


@dataclass(frozen=True, kw_only=True)
class PastTraining:
    """A finished training, as far as a forecast goes by it."""

    accelerator: Accelerator
    traits: tuple[Hashable, ...]
    """What it may have in common with one to come, the most first: see `LIKENESSES`."""
    batches: float
    operations: float
    counted: float
    """Operations as the trainer counts them."""
    seconds: float
    """In the trainer."""
    beside: float | None
    """Seconds of its container before and after; None where nobody saw."""
    tokens: float | None
    """As they were foretold."""


def past_training(record: TrainingRecord) -> PastTraining | None:
    """None of a record whose figures nothing follows from."""
    seconds, counted = record.figure("train_runtime"), record.figure("total_flos")
    arguments = _parsed(record.arguments)
    if not seconds or not counted or record.steps <= 0 or not arguments:
        return None
    return PastTraining(
        accelerator=record.accelerator,
        traits=_traits(arguments),
        batches=_batches(record.steps, arguments),
        operations=counted * _effort(arguments),
        counted=counted,
        seconds=seconds,
        beside=None if record.seconds is None else max(0.0, record.seconds - seconds),
        tokens=record.tokens,
    )


def foretell_time(training: Training, past: Sequence[PastTraining]) -> TrainingTime | None:
    """By past trainings, the latest last; None where none was on such devices."""
    there = [each for each in past if each.accelerator == training.accelerator]
    if not there:
        return None
    arguments = _parsed(training.arguments)
    for level, trait in enumerate(_traits(arguments)):
        alike = [each for each in there if each.traits[level] == trait][-LATEST:]
        if not alike:
            continue
        # Another model may write the same text in more tokens, or in fewer.
        is_known = level == 0
        tokens = training.tokens * (_correction(alike, training.weights) if is_known else 1)
        operations = OPERATIONS_PER_WEIGHT * tokens * training.weights * _effort(arguments)
        fixed, each = _pace(alike)
        beside = [like.beside for like in alike if like.beside is not None]
        return TrainingTime(
            seconds=_batches(training.steps, arguments) * fixed
            + operations * each
            + (median(beside) if beside else 0),
            is_whole=bool(beside),
            tokens=tokens,
            trainings=len(alike),
            of=LIKENESSES[level],
        )
    return None


@cache
def _parsed(arguments: str) -> Mapping[str, Any]:
    """Empty for what is no YAML of arguments."""
    try:
        told = yaml.safe_load(arguments)
    except yaml.YAMLError:
        return {}
    return told if isinstance(told, dict) else {}


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


def _correction(alike: Sequence[PastTraining], weights: float) -> float:
    """What trainings have read, as a multiple of what they were foretold to read."""
    found = [
        each.counted / OPERATIONS_PER_WEIGHT / weights / each.tokens
        for each in alike
        if each.tokens
    ]
    return median(found) if found else 1.0


def _pace(alike: Sequence[PastTraining]) -> tuple[float, float]:
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


LIKENESSES = ("this model by this method", "another model by this method", "another method")
"""What trainings have in common, the most first. All that count compute with the same kernels."""


def _traits(arguments: Mapping[str, Any]) -> tuple[Hashable, ...]:
    """One for each likeness."""
    # The file of DeepSpeed's settings lies elsewhere for each run.
    kernels = (bool(arguments.get("deepspeed")), *_values(arguments, KERNELS))
    method = (kernels, *_values(arguments, METHOD))
    return (method, *_values(arguments, ("model_name_or_path",))), method, kernels


def _values(arguments: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(arguments.get(name)) for name in names)
