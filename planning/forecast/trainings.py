"""What the trainings of a stack will take, told before they run and anew while they do (T2).

Estimates: nothing is refused for them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf

from plan import paths
from plan.host import HostFacts, Tokens
from plan.model_shape import ModelShape
from plan.pipeline import PipelinePlan
from plan.step import ContainerStepPlan
from plan.training_record import TrainingRecord
from planning.forecast.schedule import Schedule, schedules_of
from planning.forecast.training_time import (
    PastTraining,
    Training,
    TrainingTime,
    foretell_time,
    past_training,
)
from planning.memory.model_size import shape_of, weights_of
from planning.memory.trained_part import trained_part
from stack_configs.settings.root import Settings
from stack_configs.settings.training_runs import TrainingRunSettings

MINUTE, HOUR = 60, 3600
MILLION, THOUSAND = 1e6, 1e3


@dataclass(frozen=True, kw_only=True)
class TrainingForecast:
    """What one training will take, as far as anybody knows."""

    model: str
    run: str
    step: ContainerStepPlan
    schedule: Schedule
    time: TrainingTime | None

    def __str__(self) -> str:
        schedule, time = self.schedule, self.time
        rows = f"{schedule.rows_per_step} row{'s' if schedule.rows_per_step > 1 else ''}"
        words = f"{schedule.steps} step{'s' if schedule.steps > 1 else ''} of {rows}"
        if (tokens := time.tokens if time else schedule.tokens) is not None:
            words += f", about {_amount(tokens)} tokens"
        if time is not None:
            words += f"; about {_duration(time.seconds)}"
            words += ", " if time.is_whole else " beside its start and end, "
            words += f"going by {time.trainings} earlier "
            words += f"training{'s' if time.trainings > 1 else ''} of {time.of}"
        return f"{self.model}, {self.run}: {words}"


@dataclass(frozen=True, kw_only=True)
class _Past:
    """A record, and what follows from it."""

    identity: str
    began: float
    ended: float
    """Seconds since 1970."""
    training: PastTraining | None

    @classmethod
    def of(cls, record: TrainingRecord) -> "_Past":
        return cls(
            identity=record.identity,
            began=record.finished_at - (record.seconds or 0),
            ended=record.finished_at,
            training=past_training(record),
        )


class Trainings:
    """The trainings of a stack: foretold by what ran on its host before, and anew after each that
    ends meanwhile."""

    def __init__(
        self, settings: Settings, plan: PipelinePlan, facts: HostFacts, tokens: Tokens
    ) -> None:
        self._settings, self._plan, self._facts = settings, plan, facts
        self._past = [_Past.of(record) for record in tokens.training_records]
        self._to_do = {step.name: model for model, step in _to_do(plan, tokens)}
        """The model of each training that is not there, by the name of its step."""

    @cached_property
    def forecasts(self) -> Mapping[str, TrainingForecast]:
        """By the name of the step.

        One that is finished is foretold as it was before it ran: its own record, and those of
        trainings that ended after it began, have no part in it.
        """
        found: dict[str, TrainingForecast] = {}
        for model, planned in zip(self._settings.models, self._plan.models, strict=True):
            schedules = schedules_of(model, self._settings, self._facts)
            shape = shape_of(model.base_model, self._facts)
            steps = [step for step in planned.steps if step.noun == "training-run"]
            for run, step in zip(model.training_runs, steps, strict=True):
                if (schedule := schedules.get(run.name)) is None:
                    continue
                training = _training(run, step, schedule, shape)
                earlier = self._before(step)
                found[step.name] = TrainingForecast(
                    model=model.name,
                    run=run.name,
                    step=step,
                    schedule=schedule,
                    time=None if training is None else foretell_time(training, earlier),
                )
        return found

    @property
    def outputs(self) -> Mapping[str, Mapping[str, int]]:
        """Figures by model and run, as `training_results` names them: `steps`, and `tokens` and
        `seconds` where they are foretold."""
        return {
            name.removeprefix(f"{self._plan.stack}-"): dict(_figures(forecast))
            for name, forecast in self.forecasts.items()
        }

    def _before(self, step: ContainerStepPlan) -> list[PastTraining]:
        """Past trainings, but for those that the step's own has outrun."""
        began = min(
            (past.began for past in self._past if past.identity == step.identity), default=inf
        )
        return [past.training for past in self._past if past.training and past.ended < began]

    def tell(self) -> Iterator[str]:
        """A line for each training that is to be done, and one for each model that has several."""
        forecasts = self.forecasts
        to_do = [forecasts[name] for name in self._to_do if name in forecasts]
        yield from map(str, to_do)
        yield from _tell_sums(to_do)

    def after(self, done: str, results: Mapping[str, object]) -> Iterator[str]:
        """Lines on what is left, now that a step is done: of its model, and of the whole stack.
        `results` are its figures.

        None after one that was there before, or where nobody knows the time of any other.
        """
        if (model := self._to_do.pop(done, None)) is None:
            return
        if (forecast := self.forecasts.get(done)) is not None:
            self._past.append(_Past.of(_record(forecast, results)))
        del self.forecasts
        after = self.forecasts
        left = [after[name] for name in self._to_do if name in after and after[name].time]
        yield from (f"still to train: {each}" for each in left if each.model == model)
        times = [each.time.seconds for each in left if each.time]
        if len(times) > 1:
            told = _duration(sum(times))
            yield f"still to train: {len(times)} in all, about {told} one after the other"


def _to_do(plan: PipelinePlan, tokens: Tokens) -> Iterator[tuple[str, ContainerStepPlan]]:
    """Each training that is not there, with its model. What two models share is trained once."""
    seen: set[str] = set()
    for model in plan.models:
        for step in model.steps:
            is_there = tokens.steps and step.name not in tokens.missing
            if step.noun == "training-run" and not is_there and step.identity not in seen:
                seen.add(step.identity)
                yield model.name, step


def _figures(forecast: TrainingForecast) -> Iterator[tuple[str, int]]:
    schedule, time = forecast.schedule, forecast.time
    yield "steps", schedule.steps
    if (tokens := time.tokens if time else schedule.tokens) is not None:
        yield "tokens", round(tokens)
    if time is not None:
        yield "seconds", round(time.seconds)


def _training(
    run: TrainingRunSettings,
    step: ContainerStepPlan,
    schedule: Schedule,
    shape: ModelShape | None,
) -> Training | None:
    if schedule.tokens is None or shape is None:
        return None
    # An output layer of its own counts.
    embedding = shape.vocabulary * shape.hidden
    return Training(
        arguments=step.files[paths.TRAINING_ARGUMENTS],
        accelerator=step.container.accelerator,
        steps=schedule.steps,
        tokens=schedule.tokens,
        weights=weights_of(shape) - embedding + trained_part(run, shape).added,
    )


def _record(forecast: TrainingForecast, results: Mapping[str, object]) -> TrainingRecord:
    """Of a training that the program has not seen itself: its start and its end are not counted."""
    step = forecast.step
    return TrainingRecord(
        identity=step.identity,
        step=step.name,
        arguments=step.files[paths.TRAINING_ARGUMENTS],
        accelerator=step.container.accelerator,
        steps=forecast.schedule.steps,
        tokens=step.foretold_tokens,
        results=results,
    )


def _tell_sums(forecasts: Sequence[TrainingForecast]) -> Iterator[str]:
    for model in dict.fromkeys(forecast.model for forecast in forecasts):
        times = [forecast.time for forecast in forecasts if forecast.model == model]
        known = [time.seconds for time in times if time is not None]
        if len(times) > 1 and len(known) == len(times):
            yield f"{model}: about {_duration(sum(known))} for its {len(times)} trainings"


def _amount(count: float) -> str:
    if count >= MILLION:
        return f"{count / MILLION:.3g} million"
    return f"{count / THOUSAND:.3g} thousand" if count >= THOUSAND else f"{count:.0f}"


def _duration(seconds: float) -> str:
    if seconds < 2 * MINUTE:
        return f"{max(1, seconds):.0f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    hours, rest = divmod(round(seconds / MINUTE), MINUTE)
    return f"{hours} h {rest:02} min"
