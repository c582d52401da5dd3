"""Curves out of a trainer's log, and where they are drawn."""

import json
import math
from itertools import pairwise

import pytest

from report.chart import chart_of
from report.curves import DRAWN, Curve, Panel, panels_of, smoothed, thinned
from report.traces import Trace
from runtime.progress.progress import figure
from tests.report.conftest import history


def trace(state: object = None, log: str = "") -> Trace:
    texts = {"trainer_state.json": json.dumps(state)} if state else {"trainer_log.jsonl": log}
    return Trace(identity="a", texts=texts)


def titles(panels: list[Panel]) -> dict[str, list[str]]:
    return {panel.title: [curve.label for curve in panel.curves] for panel in panels}


class TestPanels:
    def test_training_and_evaluation_share_their_axes(self) -> None:
        panels = panels_of(trace(history(4, 30)))
        assert titles(panels) == {
            "Loss": ["training", "evaluation"],
            "Learning rate": ["learning rate"],
        }
        loss, evaluation = panels[0].curves
        assert (loss.first, loss.last) == (4 * 0.5**0.1, 0.5)
        assert evaluation.points == ((30, 0.25),)

    def test_the_loss_of_the_run_before_stands_beside(self) -> None:
        panels = panels_of(trace(history(4, 30)), trace(history(8, 20)))
        earlier = panels[0].curves[-1]
        assert (earlier.role, earlier.points[-1]) == ("earlier", (20, 2.0))
        assert titles(panels)["Learning rate"] == ["learning rate"]

    def test_a_training_at_work_is_read_from_its_progress_log(self) -> None:
        lines = [{"current_steps": step, "loss": 3 - step, "lr": 0.1} for step in (1, 2)]
        log = "\n".join(map(json.dumps, lines)) + '\n{"current_steps": 3, "lo'
        panels = panels_of(trace(log=log))
        assert panels[0].curves[0].points == ((1, 2), (2, 1))

    def test_steps_trained_again_after_an_interruption_count_once(self) -> None:
        log = [{"step": step, "loss": loss} for step, loss in ((1, 9), (2, 8), (2, 7), (3, 6))]
        panels = panels_of(trace({"log_history": log}))
        assert panels[0].curves[0].points == ((1, 9), (2, 7), (3, 6))

    def test_preferences_have_curves_of_their_own(self) -> None:
        log = [{"step": s, "loss": 1, "rewards/accuracies": s / 9} for s in range(1, 9)]
        assert "Accuracy of rewards" in titles(panels_of(trace({"log_history": log})))

    def test_no_log_has_no_curves(self) -> None:
        assert panels_of(trace()) == []


class TestCourse:
    def test_a_smoothed_curve_does_not_lag_behind(self) -> None:
        straight = tuple((float(step), 100.0 - step) for step in range(100))
        assert [value for _, value in smoothed(straight)] == pytest.approx(
            [value for _, value in straight]
        )

    def test_noise_goes(self) -> None:
        noisy = [(float(step), 1.0 + (-1) ** step) for step in range(200)]
        course = smoothed(noisy)[10:-10]
        assert max(abs(value - 1) for _, value in course) < 0.25

    def test_no_more_points_than_can_be_drawn(self) -> None:
        points = [(float(step), float(step)) for step in range(5 * DRAWN + 7)]
        drawn = thinned(points)
        assert len(drawn) <= DRAWN + 1
        assert drawn[-1] == points[-1]
        assert all(one < two for one, two in pairwise(drawn))


class TestChart:
    @pytest.mark.parametrize(
        "values",
        [(3.0, 2.0, 1.0), (5.0, 5.0), (0.0, 0.0), (-2e-7, 3e-7), (1e9, 2e9), (0.003, 0.003)],
    )
    def test_everything_lies_within_the_axes(self, values: tuple[float, ...]) -> None:
        curve = Curve(label="x", points=tuple((float(i), v) for i, v in enumerate(values)))
        chart = chart_of(Panel(title="X", curves=(curve,)))
        places = [*chart.y_ticks, *chart.x_ticks]
        assert all(-1e-6 <= tick.at <= 100 + 1e-6 for tick in places)
        assert len({tick.label for tick in chart.y_ticks}) == len(chart.y_ticks) >= 2
        assert all(0 <= at <= 100 for mark in chart.lines[0].marks for at in mark)

    def test_a_training_that_came_apart_is_drawn_up_to_there(self) -> None:
        points = ((1.0, 2.0), (2.0, 3.0), (3.0, math.nan), (4.0, math.inf))
        chart = chart_of(Panel(title="Loss", curves=(Curve(label="training", points=points),)))
        assert "nan" not in chart.lines[0].path
        assert chart.lines[0].last == "infinite"

    def test_the_table_has_the_ends_and_little_between(self) -> None:
        points = tuple((float(step), 1.0 / step) for step in range(1, 1001))
        (line,) = chart_of(Panel(title="Loss", curves=(Curve(label="t", points=points),))).lines
        assert (line.rows[0][0], line.rows[-1]) == ("1", ("1000", "0.00100"))
        assert len(line.rows) < 25


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.0, "0"),
        (1.139, "1.14"),
        (235.4, "235"),
        (12345.0, "12,345"),
        (0.00001, "1e-5"),
        (-0.5, "-0.500"),
        (math.nan, "not a number"),
    ],
)
def test_a_figure_has_three_digits_that_say_something(value: float, told: str) -> None:
    assert figure(value) == told
