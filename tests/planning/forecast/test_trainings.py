"""What an operator is told of trainings to come, and again as they end (T2)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from plan.host import HostFacts, Tokens
from plan.paths import TRAINING_ARGUMENTS
from plan.pipeline import PipelinePlan
from plan.training_record import TrainingRecord
from planning.forecast.trainings import Trainings
from stack_configs.settings.root import Settings

SFT, DPO = "test-guide-sft", "test-guide-dpo"
FACTS = HostFacts()


def two_runs(document: dict[str, Any]) -> None:
    document["models"][0]["training_runs"] = [
        {"datasets": ["alpaca"], "max_steps": 100},
        {"name": "dpo", "stage": "dpo", "datasets": ["ranked"], "max_steps": 1},
    ]


@pytest.fixture
def settings(settings_with: Callable[..., Settings]) -> Settings:
    return settings_with(two_runs)


@pytest.fixture
def plan(plan_with: Callable[..., PipelinePlan]) -> PipelinePlan:
    return plan_with(two_runs)


def record(plan: PipelinePlan, *, seconds: float, finished_at: float = 50_000) -> TrainingRecord:
    """Of an earlier version of the first run."""
    step = next(step for step in plan.container_steps if step.name == SFT)
    return TrainingRecord(
        identity="earlier",
        step=SFT,
        arguments=step.files[TRAINING_ARGUMENTS],
        steps=100,
        tokens=25_600.0,
        seconds=seconds + 10,
        finished_at=finished_at,
        results={"train_runtime": seconds, "total_flos": 1e12},
    )


def looked(plan: PipelinePlan, *missing: str, records: tuple[TrainingRecord, ...] = ()) -> Tokens:
    names = [step.name for step in plan.container_steps]
    return Tokens(steps=dict.fromkeys(names, "t"), missing=missing, training_records=records)


def trainings(settings: Settings, plan: PipelinePlan, *records: TrainingRecord) -> Trainings:
    """Those of a stack that has none of its work."""
    return Trainings(settings, plan, FACTS, Tokens(training_records=records))


def test_steps_and_tokens_are_told_from_the_first_up_on(
    settings: Settings, plan: PipelinePlan
) -> None:
    assert list(trainings(settings, plan).tell()) == [
        "guide, sft: 100 steps of 8 rows, about 25.6 thousand tokens",
        "guide, dpo: 1 step of 8 rows, about 384 tokens",
    ]


def test_time_is_told_by_what_has_run_before(settings: Settings, plan: PipelinePlan) -> None:
    sft, dpo, both = trainings(settings, plan, record(plan, seconds=1800)).tell()
    assert sft.endswith("about 30 min, going by 1 earlier training of this model by this method")
    assert dpo.endswith("going by 1 earlier training of another method")
    assert both.endswith("for its 2 trainings")


def test_work_that_is_there_is_not_told_of(settings: Settings, plan: PipelinePlan) -> None:
    (line,) = Trainings(settings, plan, FACTS, looked(plan, DPO)).tell()
    assert line.startswith("guide, dpo: ")


def test_a_finished_training_stays_foretold_as_it_was(
    settings: Settings, plan: PipelinePlan
) -> None:
    """Else an up with nothing to do would change an output."""
    earlier = record(plan, seconds=1800)
    before = trainings(settings, plan, earlier).outputs
    steps = {step.name: step for step in plan.container_steps}
    done = [
        replace(earlier, identity=steps[name].identity, finished_at=finished_at)
        for name, finished_at in ((SFT, 60_000), (DPO, 60_001))
    ]
    assert trainings(settings, plan, earlier, *done).outputs == before
    assert set(before) == {"guide-sft", "guide-dpo"}
    assert set(before["guide-sft"]) == {"steps", "tokens", "seconds"}


class TestWhileAnUpGoesOn:
    RESULTS: Mapping[str, object] = {"train_runtime": 3600.0, "total_flos": 1e12}

    def test_what_has_ended_tells_the_time_of_what_is_left(
        self, settings: Settings, plan: PipelinePlan
    ) -> None:
        remaining = Trainings(settings, plan, FACTS, looked(plan, SFT, DPO))
        (line,) = remaining.after(SFT, self.RESULTS)
        assert line.startswith("still to train: guide, dpo: 1 step of 8 rows, about 384 tokens")
        # The program has not seen the container of what it heard the figures of.
        assert " beside its start and end, going by 1 earlier training of another method" in line
        assert list(remaining.after(DPO, self.RESULTS)) == []

    def test_one_that_took_longer_makes_the_rest_longer(
        self, settings: Settings, plan: PipelinePlan
    ) -> None:
        told = {}
        for seconds in (3600.0, 7200.0):
            remaining = Trainings(settings, plan, FACTS, looked(plan, SFT, DPO))
            (told[seconds],) = remaining.after(SFT, {**self.RESULTS, "train_runtime": seconds})
        assert told[3600.0] != told[7200.0]

    def test_of_other_models_the_sum_alone_is_told(
        self, settings_with: Callable[..., Settings], plan_with: Callable[..., PipelinePlan]
    ) -> None:
        def three_models(document: dict[str, Any]) -> None:
            two_runs(document)
            (model,) = document["models"]
            document["models"] = [
                {**model, "name": name, "base_model": {"generate": {"seed": seed}}}
                for seed, name in enumerate(("guide", "poet", "sage"))
            ]

        settings, plan = settings_with(three_models), plan_with(three_models)
        names = [step.name for step in plan.container_steps if step.noun == "training-run"]
        remaining = Trainings(settings, plan, FACTS, looked(plan, *names))
        own, whole = remaining.after(SFT, self.RESULTS)
        assert own.startswith("still to train: guide, dpo: ")
        assert whole.startswith("still to train: 5 in all, about ")

    def test_what_two_models_share_is_told_of_once(
        self, settings_with: Callable[..., Settings], plan_with: Callable[..., PipelinePlan]
    ) -> None:
        def twins(document: dict[str, Any]) -> None:
            (model,) = document["models"]
            document["models"] = [{**model, "name": name} for name in ("guide", "twin")]

        (line,) = trainings(settings_with(twins), plan_with(twins)).tell()
        assert line.startswith("guide, sft: ")

    def test_what_was_there_before_tells_nothing(
        self, settings: Settings, plan: PipelinePlan
    ) -> None:
        remaining = Trainings(settings, plan, FACTS, looked(plan, DPO))
        assert list(remaining.after(SFT, self.RESULTS)) == []

    def test_figures_that_tell_no_time_make_none_up(
        self, settings: Settings, plan: PipelinePlan
    ) -> None:
        remaining = Trainings(settings, plan, FACTS, looked(plan, SFT, DPO))
        assert list(remaining.after(SFT, {"train_loss": 0.5})) == []
