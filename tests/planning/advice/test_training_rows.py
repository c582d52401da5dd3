"""Rows that are short, differ in length or are few, and checkpoints hours apart (T6)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plan.host import Gpu, HostFacts
from planning.advice.training_rows import about_training_rows
from planning.forecast.rows import BYTES_PER_TOKEN, TEMPLATE_TOKENS, rows_of
from stack_configs.settings.root import Settings

RUN = "models[0].training_runs[0]"
ONE_GPU = HostFacts(gpus=(Gpu(memory_gb=80),))
SHORT, LONG = 100, 1900
"""Tokens of a row."""


def row_of(tokens: int) -> dict[str, str]:
    """A row that is estimated to have so many tokens."""
    size = BYTES_PER_TOKEN * (tokens - TEMPLATE_TOKENS)
    return {"instruction": "Why?", "output": "x" * (size - len("Why?"))}


@pytest.fixture
def settings_of(directory: Path, settings_with: Callable[..., Settings]) -> Callable[..., Settings]:
    """An 8B model on GPUs and a run of rows with these lengths."""

    def make(lengths: list[int], host: dict[str, Any] | None = None, **run: Any) -> Settings:
        rows = [row_of(tokens) for tokens in lengths]
        (directory / "rows.json").write_text(json.dumps(rows))

        def change(document: dict[str, Any]) -> None:
            document["host"] = host or {}
            document["datasets"].append({"name": "rows", "file": "rows.json"})
            model = document["models"][0]
            model["base_model"] = {"hub": "meta-llama/Meta-Llama-3-8B-Instruct"}
            model["training_runs"] = [{"datasets": ["rows"], **run}]

        return settings_with(change)

    return make


SettingsOf = Callable[..., Settings]


def told(settings: Settings, facts: HostFacts = ONE_GPU) -> dict[str, str]:
    return {each.key: str(each) for each in about_training_rows(settings, facts)}


class TestRows:
    def test_they_are_counted_and_measured(self, settings_of: SettingsOf) -> None:
        settings = settings_of([SHORT] * 30 + [LONG] * 10)
        rows = rows_of(settings.models[0].training_runs[0], settings)
        assert rows is not None
        assert rows.count == 40
        assert rows.mean == pytest.approx((30 * SHORT + 10 * LONG) / 40, rel=0.02)

    def test_a_run_takes_no_more_than_it_may(self, settings_of: SettingsOf) -> None:
        settings = settings_of([LONG] * 40, max_samples=30, val_size=0.5, cutoff_len=512)
        rows = rows_of(settings.models[0].training_runs[0], settings)
        assert rows is not None
        assert (rows.count, rows.mean) == (15, 512)

    def test_what_nobody_knows(self, settings_of: SettingsOf) -> None:
        settings = settings_of([SHORT] * 40, streaming=True, max_steps=10)
        assert rows_of(settings.models[0].training_runs[0], settings) is None

    def test_rows_of_a_hub_are_not_known(self, settings_of: SettingsOf) -> None:
        settings = settings_of([SHORT] * 40)
        (rows,) = (each for each in settings.datasets if each.name == "rows")
        unread = rows.model_copy()
        unread._findings = None
        settings = settings.model_copy(update={"datasets": (unread,)})
        assert rows_of(settings.models[0].training_runs[0], settings) is None
        assert told(settings) == {}


class TestPacking:
    def test_short_rows_are_better_packed(self, settings_of: SettingsOf) -> None:
        found = told(settings_of([SHORT] * 400))
        assert found == {
            f"{RUN}.neat_packing": (
                f"{RUN}.neat_packing: rows have about 100 tokens, so that a batch of 1 fills 5% of "
                "the 2048 that cutoff_len has room for: packed, 20 rows are computed at a time, "
                "and others saw 3 times the speed. Set neat_packing: true, and "
                "gradient_accumulation_steps to 1: a step takes 8 rows now."
            )
        }

    @pytest.mark.parametrize(
        ("lengths", "run"),
        [
            ([SHORT] * 400, {"neat_packing": True}),
            ([SHORT] * 400, {"packing": True}),
            ([SHORT] * 400, {"cutoff_len": 128}),
            ([SHORT] * 400, {"per_device_train_batch_size": 8}),
            ([SHORT] * 400, {"stage": "pt"}),
            ([LONG] * 400, {}),
            # Over before it matters.
            ([SHORT] * 100, {"num_train_epochs": 8}),
        ],
    )
    def test_others_need_none(
        self, settings_of: SettingsOf, lengths: list[int], run: dict[str, Any]
    ) -> None:
        assert told(settings_of(lengths, **run)) == {}

    def test_a_processor_gains_nothing(self, settings_of: SettingsOf) -> None:
        cpu = {"hardware": "cpu"}
        assert told(settings_of([SHORT] * 400, cpu), HostFacts()) == {}


class TestPadding:
    MIXED = [SHORT] * 300 + [LONG] * 100

    def test_rows_of_several_lengths_are_padded(self, settings_of: SettingsOf) -> None:
        found = told(settings_of(self.MIXED, per_device_train_batch_size=4))
        key = f"{RUN}.train_sampling_strategy"
        assert list(found) == [key]
        # Two batches of three have a long row, and are 1330 tokens wide; 550 are text.
        assert "about 59% of a batch is padding" in found[key]
        assert "up to 2.4 times as fast" in found[key]

    @pytest.mark.parametrize(
        "run",
        [
            {"per_device_train_batch_size": 1},
            {"per_device_train_batch_size": 4, "train_sampling_strategy": "group_by_length"},
            {"per_device_train_batch_size": 4, "packing": True},
        ],
    )
    def test_others_waste_nothing(self, settings_of: SettingsOf, run: dict[str, Any]) -> None:
        assert told(settings_of(self.MIXED, **run)) == {}


class TestSteps:
    def test_a_batch_that_is_too_large_for_the_data(self, settings_of: SettingsOf) -> None:
        found = told(settings_of([LONG] * 100, gradient_accumulation_steps=64))
        assert found == {
            f"{RUN}.gradient_accumulation_steps": (
                f"{RUN}.gradient_accumulation_steps is 64: a step takes 64 rows, and the data sets "
                "have 100: the weights are changed 6 times in all. Lower it, or "
                "per_device_train_batch_size, or raise num_train_epochs."
            )
        }

    def test_every_device_takes_rows_of_its_own(self, settings_of: SettingsOf) -> None:
        eight = HostFacts(gpus=(Gpu(memory_gb=80),) * 8)
        assert told(settings_of([LONG] * 100)) == {}
        assert f"{RUN}.gradient_accumulation_steps" in told(settings_of([LONG] * 100), eight)
        # Nobody knows how many there are.
        assert told(settings_of([LONG] * 100), HostFacts()) == {}

    def test_a_warm_up_longer_than_the_run(self, settings_of: SettingsOf) -> None:
        found = told(settings_of([LONG] * 100, warmup_steps=100))
        assert "the run has 39 steps" in found[f"{RUN}.warmup_steps"]
        assert told(settings_of([LONG] * 100, warmup_steps=4)) == {}
        cpu = settings_of([LONG] * 100, {"hardware": "cpu"}, warmup_steps=100)
        assert list(told(cpu, HostFacts())) == [f"{RUN}.warmup_steps"]


class TestCheckpoints:
    def test_hours_that_would_be_lost(self, settings_of: SettingsOf) -> None:
        # 500 steps of 64 rows of 1900 tokens: six operations for each of 8 billion weights, at 400
        # TFLOP/s two hours.
        found = told(
            settings_of([LONG] * 200, num_train_epochs=160, gradient_accumulation_steps=64)
        )
        assert found == {
            f"{RUN}.save_steps": (
                f"{RUN}.save_steps is 500: the 500 steps from one checkpoint to the next take 2.0 "
                "hours at least, on the fastest GPUs too, and a run that is killed loses as much. "
                "Set it to 122 or less."
            )
        }

    @pytest.mark.parametrize(
        "run",
        [
            {"gradient_accumulation_steps": 8},
            {"gradient_accumulation_steps": 64, "save_steps": 100},
            {"gradient_accumulation_steps": 64, "max_steps": 100},
            {"gradient_accumulation_steps": 64, "save_strategy": "epoch"},
            # It begins again whatever there is.
            {"gradient_accumulation_steps": 64, "pissa_init": True},
        ],
    )
    def test_others_lose_little_or_could_not_be_helped(
        self, settings_of: SettingsOf, run: dict[str, Any]
    ) -> None:
        assert told(settings_of([LONG] * 200, num_train_epochs=160, **run)) == {}
