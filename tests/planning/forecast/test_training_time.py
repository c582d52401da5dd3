"""The time of a training to come, by trainings whose times follow a known law (T2)."""

from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from plan.container import Accelerator
from plan.training_record import TrainingRecord
from planning.forecast.training_time import (
    Training,
    TrainingTime,
    foretell_time,
    past_training,
)

WEIGHTS = 1e6
FIXED, RATE, BESIDE = 0.02, 1e10, 12.0
"""The law: seconds of a batch, operations in a second, seconds before and after."""
ARGUMENTS = {
    "model_name_or_path": "a/b",
    "stage": "sft",
    "finetuning_type": "lora",
    "gradient_accumulation_steps": 4,
    "bf16": True,
}
CUDA = Accelerator(gpus="all")


def told(**changes: Any) -> str:
    return yaml.safe_dump({**ARGUMENTS, **changes})


def effort(arguments: dict[str, Any]) -> float:
    trained = arguments.get("finetuning_type") == "full"
    again = not arguments.get("disable_gradient_checkpointing")
    return 4 + 2 * trained + 2 * again + 2 * (arguments.get("stage") in ("dpo", "kto"))


def seconds(steps: int, tokens: float, arguments: dict[str, Any], weights: float) -> float:
    return steps * 4 * FIXED + tokens * weights * effort(arguments) / RATE


def record(
    steps: int,
    tokens: float,
    *,
    weights: float = WEIGHTS,
    foretold: float | None = None,
    accelerator: Accelerator = CUDA,
    finished_at: float = 0,
    **changes: Any,
) -> TrainingRecord:
    """What a training leaves that follows the law."""
    arguments = {**ARGUMENTS, **changes}
    took = seconds(steps, tokens, arguments, weights)
    return TrainingRecord(
        identity=f"f{steps}-{tokens}",
        step="guide-sft",
        arguments=yaml.safe_dump(arguments),
        accelerator=accelerator,
        steps=steps,
        tokens=foretold or tokens,
        seconds=took + BESIDE,
        finished_at=finished_at,
        results={"train_runtime": took, "total_flos": 6 * tokens * weights},
    )


def foretell(
    records: Sequence[TrainingRecord],
    *,
    steps: int = 100,
    tokens: float = 1e6,
    weights: float = WEIGHTS,
    **changes: Any,
) -> TrainingTime | None:
    return foretell_time(
        Training(
            arguments=told(**changes),
            accelerator=CUDA,
            steps=steps,
            tokens=tokens,
            weights=weights,
        ),
        [past for record in records if (past := past_training(record)) is not None],
    )


def test_nothing_is_told_without_an_earlier_training() -> None:
    assert foretell([]) is None


@pytest.mark.parametrize(
    "other",
    [
        {"accelerator": Accelerator()},
        {"bf16": False},
        {"quantization_bit": 4},
        {"deepspeed": "/app/output/runs/f/deepspeed.json"},
    ],
)
def test_nor_by_one_on_other_devices_or_in_other_numbers(other: dict[str, Any]) -> None:
    assert foretell([record(50, 4e5, **other)]) is None


def test_one_of_the_same_shape_tells_it_exactly() -> None:
    found = foretell([record(50, 5e5)], steps=100, tokens=1e6)
    assert found is not None
    assert found.seconds == pytest.approx(seconds(100, 1e6, ARGUMENTS, WEIGHTS) + BESIDE)
    assert (found.trainings, found.of) == (1, "this model by this method")


def test_two_of_different_batches_tell_the_fixed_time_of_each() -> None:
    found = foretell([record(50, 5e4), record(50, 5e6)], steps=100, tokens=1e6)
    assert found is not None
    assert found.seconds == pytest.approx(seconds(100, 1e6, ARGUMENTS, WEIGHTS) + BESIDE)


def test_no_time_is_ever_negative() -> None:
    # The larger batch was quicker, as on a host that had something else to do.
    slow = record(50, 5e4)
    quick = record(50, 5e6)
    quick = TrainingRecord(**{**vars(quick), "results": {**quick.results, "train_runtime": 1.0}})
    for tokens in (1.0, 1e9):
        found = foretell([slow, quick], tokens=tokens)
        assert found is not None
        assert found.seconds > BESIDE


def test_tokens_are_corrected_by_what_the_model_has_read() -> None:
    found = foretell([record(50, 1e6, foretold=5e5)], steps=50, tokens=5e5)
    assert found is not None
    assert found.tokens == pytest.approx(1e6)
    assert found.seconds == pytest.approx(seconds(50, 1e6, ARGUMENTS, WEIGHTS) + BESIDE)


def test_the_nearest_count_alone() -> None:
    records = [
        record(50, 5e5, finetuning_type="full", stage="dpo"),
        record(50, 5e5, model_name_or_path="c/d", weights=2 * WEIGHTS),
    ]
    found = foretell(records)
    assert found is not None
    assert (found.trainings, found.of) == (1, "another model by this method")
    found = foretell(records[:1])
    assert found is not None
    assert found.of == "another method"


def test_another_model_tells_it_by_its_weights() -> None:
    records = [
        record(50, 5e4, model_name_or_path="c/d", weights=2 * WEIGHTS),
        record(50, 5e6, model_name_or_path="e/f", weights=3 * WEIGHTS),
    ]
    found = foretell(records)
    assert found is not None
    assert found.seconds == pytest.approx(seconds(100, 1e6, ARGUMENTS, WEIGHTS) + BESIDE)


@pytest.mark.parametrize(
    "method",
    [
        {"finetuning_type": "full"},
        {"stage": "dpo"},
        {"disable_gradient_checkpointing": True},
    ],
)
def test_another_method_by_what_it_computes(method: dict[str, Any]) -> None:
    found = foretell([record(50, 5e4), record(50, 5e6)], **method)
    assert found is not None
    asked = {**ARGUMENTS, **method}
    assert found.seconds == pytest.approx(seconds(100, 1e6, asked, WEIGHTS) + BESIDE)


def test_arguments_that_cannot_be_read_do_not_count() -> None:
    whole = record(50, 5e5)
    for text in ("a: [", "", "words"):
        assert foretell([TrainingRecord(**{**vars(whole), "arguments": text})]) is None


@pytest.mark.parametrize("results", [{}, {"train_runtime": 3.0}, {"total_flos": 0.0}])
def test_one_that_does_not_tell_its_time_does_not_count(results: dict[str, Any]) -> None:
    whole = record(50, 5e5)
    assert foretell([TrainingRecord(**{**vars(whole), "results": results})]) is None


def test_the_latest_count() -> None:
    old = [record(50, 5e5, weights=9 * WEIGHTS) for _ in range(5)]
    found = foretell([*old, *[record(50, 5e5)] * 8], steps=50, tokens=5e5)
    assert found is not None
    assert found.trainings == 8
    assert found.seconds == pytest.approx(seconds(50, 5e5, ARGUMENTS, WEIGHTS) + BESIDE)
