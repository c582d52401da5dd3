"""Curves of a training: loss, evaluation, rewards, by step, out of the trainer's own log."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plan.paths import TRAINER_STATE
from report.traces import Trace

Point = tuple[float, float]
"""Step of the training, and the figure there."""

SMOOTH_FROM = 50
"""Points from which on a curve is smoothed: fewer are looked at one by one."""
NARROWEST = 2
"""Points on either side that a smoothed curve is the mean of, at least; else a fiftieth of all."""
DRAWN = 400
"""Points that a screen can tell apart; of more, each drawn one is the mean of its neighbours."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One figure of a training over its steps."""

    label: str
    points: tuple[Point, ...]
    role: str = "main"
    """main, other or earlier: how it is drawn."""

    @property
    def last(self) -> float:
        """The figure at the end."""
        return self.points[-1][1]

    @property
    def first(self) -> float:
        """The figure at the beginning."""
        return self.points[0][1]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Curves that share their axes."""

    title: str
    curves: tuple[Curve, ...]


PANELS: Mapping[str, Mapping[str, str]] = {
    "Loss": {"loss": "training", "eval_loss": "evaluation"},
    "Reward": {"reward": "reward", "rewards/chosen": "chosen", "rewards/rejected": "rejected"},
    "Accuracy of rewards": {
        "rewards/accuracies": "training",
        "eval_rewards/accuracies": "evaluation",
    },
    "Learning rate": {"learning_rate": "learning rate"},
    "Gradient norm": {"grad_norm": "gradient norm"},
}
"""Keys of the log by panel, and what a person calls them."""


def panels_of(trace: Trace, earlier: Trace | None = None) -> list[Panel]:
    """What a training has logged; the loss of the run before beside its own."""
    log = list(_entries(trace))
    panels = []
    for title, keys in PANELS.items():
        curves = [
            Curve(label=label, points=points, role="main" if index == 0 else "other")
            for index, (key, label) in enumerate(keys.items())
            if len(points := _points(log, key)) > 1
            or (len(points) == 1 and key.startswith("eval_"))
        ]
        if earlier is not None and title == "Loss" and curves:
            before = _points(list(_entries(earlier)), "loss")
            if len(before) > 1:
                curves.append(Curve(label="training, run before", points=before, role="earlier"))
        if curves:
            panels.append(Panel(title=title, curves=tuple(curves)))
    return panels


def smoothed(points: Sequence[Point]) -> tuple[Point, ...]:
    """The course of a curve without its noise: each point the mean of those around it.

    At the ends the neighbourhood shrinks on both sides alike, so that nothing lags behind.
    """
    reach = max(NARROWEST, len(points) // 50)
    sums = [0.0, *itertools.accumulate(value for _, value in points)]
    course = []
    for at, (step, _) in enumerate(points):
        near = min(reach, at, len(points) - 1 - at)
        course.append((step, (sums[at + near + 1] - sums[at - near]) / (2 * near + 1)))
    return tuple(course)


def thinned(points: Sequence[Point]) -> tuple[Point, ...]:
    """No more points than can be drawn: the mean of each group, the last one as it is."""
    size = -(-len(points) // DRAWN)
    if size <= 1:
        return tuple(points)
    groups = [points[at : at + size] for at in range(0, len(points) - 1, size)]
    means = [tuple(sum(axis) / len(group) for axis in zip(*group, strict=True)) for group in groups]
    return (*((step, value) for step, value in means), points[-1])


def _entries(trace: Trace) -> Iterator[Mapping[str, Any]]:
    """The log: whole in trainer_state.json; in trainer_log.jsonl while the training is at work."""
    history = trace.json(TRAINER_STATE).get("log_history")
    if isinstance(history, list):
        yield from (entry for entry in history if isinstance(entry, dict))
        return
    for line in trace.texts.get("trainer_log.jsonl", "").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and "current_steps" in entry:
            yield {"step": entry["current_steps"], "learning_rate": entry.get("lr"), **entry}


def _points(log: Sequence[Mapping[str, Any]], key: str) -> tuple[Point, ...]:
    """By step; of one that was trained again after an interruption, what was logged last."""
    points = {
        float(entry["step"]): float(entry[key])
        for entry in log
        if isinstance(entry.get(key), int | float) and isinstance(entry.get("step"), int | float)
    }
    return tuple(sorted(points.items()))
