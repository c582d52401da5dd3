"""The training runs of a stack: figures, curves, and what changed since the run before."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from plan.step import ContainerStepPlan
from plan.survey import Survey
from report.changes import Change, changes_between
from report.chart import Chart, chart_of
from report.curves import panels_of
from report.state import StackState
from report.steps import Traces, component_of, state_of
from report.traces import earlier_traces
from report.words import UNKNOWN, moment, size, took
from runtime.progress.progress import figure

FIGURES = {
    "train_loss": "mean loss",
    "eval_loss": "evaluation loss",
    "eval_accuracy": "evaluation accuracy",
    "train_runtime": "seconds",
    "train_samples_per_second": "samples per second",
    "epoch": "epochs",
}
"""Of a run's results, what a person asks for first."""


@dataclass(frozen=True, kw_only=True)
class RunView:
    """One training run."""

    key: str
    title: str
    identity: str
    state: str
    figures: tuple[tuple[str, str], ...]
    charts: tuple[Chart, ...]
    changes: tuple[Change, ...] | None
    """None where no run before is there to compare with."""
    before: str
    """When the run before was made."""


def run_views(state: StackState, traces: Traces, survey: Survey) -> Iterator[RunView]:
    """Every training run."""
    for step in state.steps:
        plan, trace = step.plan, traces[step.resource.urn]
        if step.noun != "training-run" or not isinstance(plan, ContainerStepPlan):
            continue
        earlier = next(iter(earlier_traces(step, survey)), None)
        results = step.said.get("results") or (trace.json(plan.results or "") if trace else {})
        yield RunView(
            key=component_of(step),
            title=plan.title,
            identity=plan.identity,
            state=state_of(step, trace),
            figures=tuple(
                (label, figure(float(results[key])))
                for key, label in FIGURES.items()
                if isinstance(results.get(key), int | float)
            ),
            charts=tuple(chart_of(panel) for panel in panels_of(trace, earlier)) if trace else (),
            changes=tuple(changes_between(earlier, trace)) if earlier and trace else None,
            before=moment(earlier.made) if earlier else "",
        )


def time_rows(state: StackState, traces: Traces) -> Iterator[tuple[str, str, str]]:
    """Title, foretold and measured time of each run that somebody foretold it of."""
    for step in state.steps:
        seconds = state.foretold_seconds.get(component_of(step))
        if step.noun == "training-run" and seconds is not None:
            trace = traces[step.resource.urn]
            yield (
                str(getattr(step.plan, "title", step.noun)),
                took(seconds),
                took(trace.seconds if trace else None),
            )


def memory_rows(state: StackState) -> Iterator[tuple[str, str, str]]:
    """Title, foretold and measured memory of each run that somebody foretold or measured it of."""
    for step in state.steps:
        if step.noun != "training-run":
            continue
        foretold = state.foretold_memory.get(component_of(step))
        measured = _measured(step.said.get("results") or {})
        if foretold is not None or measured is not None:
            told = [UNKNOWN if each is None else size(each) for each in (foretold, measured)]
            yield str(getattr(step.plan, "title", step.noun)), told[0], told[1]


def _measured(results: Mapping[str, Any]) -> float | None:
    """Bytes at the peak, of the run's first GPU, where the trainer was told to measure.

    As transformers counts: what was there, what loading added, what training added and, at its
    peak, had beside that.
    """
    parts = (
        *("before_init_mem_gpu", "init_mem_gpu_alloc_delta"),
        *("train_mem_gpu_alloc_delta", "train_mem_gpu_peaked_delta"),
    )
    found = [results[part] for part in parts if isinstance(results.get(part), int | float)]
    return float(sum(found)) if len(found) == len(parts) else None
