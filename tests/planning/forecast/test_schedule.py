"""Steps, rows and tokens of a run, as the trainer will count them (T2)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plan.host import Gpu, HostFacts
from planning.forecast.rows import BYTES_PER_TOKEN, TEMPLATE_TOKENS
from planning.forecast.schedule import Schedule, foretell_tokens, schedule_of, schedules_of
from stack_configs.settings.root import Settings

ScheduleOf = Callable[..., Schedule | None]


def row_of(tokens: int) -> dict[str, str]:
    """A row that is estimated to have so many tokens."""
    size = BYTES_PER_TOKEN * (tokens - TEMPLATE_TOKENS)
    return {"instruction": "Why?", "output": "x" * (size - len("Why?"))}


@pytest.fixture
def schedule(directory: Path, settings_with: Callable[..., Settings]) -> ScheduleOf:
    """The schedule of a run on data sets with rows of these lengths."""

    def make(*lengths: list[int], devices: int = 1, **run: Any) -> Schedule | None:
        names = [f"rows{index}" for index in range(len(lengths))]
        for name, each in zip(names, lengths, strict=True):
            (directory / f"{name}.json").write_text(json.dumps([row_of(size) for size in each]))

        def change(document: dict[str, Any]) -> None:
            document["datasets"] += [{"name": name, "file": f"{name}.json"} for name in names]
            asked = {"num_train_epochs": 1, "gradient_accumulation_steps": 1, **run}
            document["models"][0]["training_runs"] = [{"datasets": names, **asked}]

        settings = settings_with(change)
        return schedule_of(settings.models[0].training_runs[0], settings, devices)

    return make


@pytest.mark.parametrize(
    ("run", "steps"),
    [
        ({}, 100),
        ({"num_train_epochs": 2.5}, 250),
        ({"max_steps": 7, "num_train_epochs": 3}, 7),
        ({"max_samples": 30}, 30),
        # The trainer's last step of an epoch takes what is left.
        ({"per_device_train_batch_size": 8}, 13),
        ({"per_device_train_batch_size": 8, "num_train_epochs": 2}, 26),
        ({"per_device_train_batch_size": 8, "gradient_accumulation_steps": 4}, 4),
        ({"per_device_train_batch_size": 8, "devices": 4}, 4),
        ({"val_size": 0.25}, 75),
        ({"val_size": 40}, 60),
    ],
)
def test_steps(schedule: ScheduleOf, run: dict[str, Any], steps: int) -> None:
    found = schedule([96] * 100, **run)
    assert found is not None
    assert found.steps == steps


@pytest.mark.parametrize(
    ("run", "tokens"),
    [
        ({}, 100 * 104),
        ({"num_train_epochs": 3}, 300 * 104),
        ({"max_steps": 10, "per_device_train_batch_size": 4}, 40 * 104),
        ({"cutoff_len": 64}, 100 * 64),
    ],
)
def test_tokens_are_filled_up_to_a_multiple(
    schedule: ScheduleOf, run: dict[str, Any], tokens: int
) -> None:
    found = schedule([100] * 100, **run)
    assert found is not None
    assert found.tokens == pytest.approx(tokens)


def test_the_longest_of_a_batch_decides(schedule: ScheduleOf) -> None:
    alone, together = (
        schedule([40, 200] * 50, per_device_train_batch_size=size) for size in (1, 8)
    )
    assert alone is not None
    assert together is not None
    assert alone.tokens == pytest.approx(100 * 120)
    assert together.tokens == pytest.approx(100 * 200, rel=0.01)


class TestMixes:
    @pytest.mark.parametrize(
        ("run", "steps"),
        [
            ({}, 40),
            ({"mix_strategy": "interleave_under"}, 20),
            ({"mix_strategy": "interleave_over"}, 60),
            ({"mix_strategy": "interleave_once"}, 40),
            ({"mix_strategy": "interleave_under", "interleave_probs": "0.5,0.5"}, 20),
            ({"mix_strategy": "interleave_over", "interleave_probs": "0.25,0.75"}, 40),
        ],
    )
    def test_rows_that_are_drawn_by_turns(
        self, schedule: ScheduleOf, run: dict[str, Any], steps: int
    ) -> None:
        found = schedule([96] * 10, [96] * 30, **run)
        assert found is not None
        assert found.steps == steps


class TestPacking:
    def test_whole_rows_are_put_together(self, schedule: ScheduleOf) -> None:
        found = schedule([60] * 90, neat_packing=True, cutoff_len=200)
        assert found is not None
        # Three rows of 60 fit into 200; LLaMA-Factory leaves room for one token more.
        assert (found.steps, found.tokens) == (30, 30 * 208)

    def test_texts_are_joined_and_cut_anywhere(self, schedule: ScheduleOf) -> None:
        found = schedule([120] * 90, stage="pt", cutoff_len=200)
        assert found is not None
        # No template stands around a text.
        assert found.steps == 90 * (120 - TEMPLATE_TOKENS) // 200
        assert found.tokens == found.steps * 200

    def test_texts_that_are_not(self, schedule: ScheduleOf) -> None:
        found = schedule([120] * 90, stage="pt", packing=False, cutoff_len=200)
        assert found is not None
        assert (found.steps, found.tokens) == (90, 90 * 104)


class TestStages:
    def test_a_ranked_row_is_computed_twice(
        self, directory: Path, settings_with: Callable[..., Settings]
    ) -> None:
        row = {"instruction": "i" * 120, "chosen": "c" * 120, "rejected": "r" * 120}
        (directory / "ranked.json").write_text(json.dumps([row] * 10))

        def change(document: dict[str, Any]) -> None:
            document["models"][0]["training_runs"] = [
                {"stage": "dpo", "datasets": ["ranked"], "num_train_epochs": 1}
            ]

        settings = settings_with(change)
        found = schedule_of(settings.models[0].training_runs[0], settings, 1)
        assert found is not None
        # A question and an answer of 120 bytes each, and the template around them.
        assert found.row_tokens == 2 * (60 + TEMPLATE_TOKENS)

    def test_of_ppo_the_steps_alone_are_known(
        self, settings_with: Callable[..., Settings], directory: Path
    ) -> None:
        (directory / "spare.json").write_text(json.dumps([row_of(96)] * 64))
        (directory / "ranked.json").write_text(
            json.dumps([{"instruction": "i", "chosen": "c", "rejected": "r"}] * 8)
        )

        def change(document: dict[str, Any]) -> None:
            document["models"][0]["training_runs"] = [
                {"name": "judge", "stage": "rm", "datasets": ["ranked"]},
                {
                    "name": "ppo",
                    "stage": "ppo",
                    "datasets": ["spare"],
                    "reward_model": "judge",
                    "num_train_epochs": 1,
                    "ppo_buffer_size": 2,
                },
            ]
            document["models"][0]["served_run"] = "ppo"

        settings = settings_with(change)
        found = schedule_of(settings.models[0].training_runs[1], settings, 1)
        assert found == Schedule(steps=4, rows_per_step=16, rows=64)


class TestWhatIsNotKnown:
    def test_rows_that_are_streamed(self, schedule: ScheduleOf) -> None:
        assert schedule([96] * 10, streaming=True, max_steps=5) == Schedule(
            steps=5, rows_per_step=1
        )

    def test_gpus_that_nobody_counted(self, settings_with: Callable[..., Settings]) -> None:
        settings = settings_with(lambda document: document.update(host={"hardware": "cuda"}))
        (model,) = settings.models
        assert schedules_of(model, settings, HostFacts()) == {}
        assert foretell_tokens(model, settings, HostFacts()) == {}
        seen = schedules_of(model, settings, HostFacts(gpus=(Gpu(memory_gb=80),) * 2))
        assert seen["sft"].rows_per_step == 16
