"""Charts: where points, lines and the words on the axes stand, in hundredths of the drawing.

Lines are stretched to whatever width there is, words are not: they are the page's own text.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from report.curves import SMOOTH_FROM, Curve, Panel, Point, smoothed, thinned
from runtime.progress.progress import figure

TICKS = 4
MARKED = 12
"""Points up to which each one is marked."""


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A word on an axis."""

    at: float
    """From the left or from the bottom."""
    label: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """One curve as it is drawn."""

    label: str
    role: str
    path: str
    noise: str
    """The curve as it was logged, behind its smoothed course; empty where it is not smoothed."""
    marks: tuple[tuple[float, float], ...]
    last: str
    rows: tuple[tuple[str, str], ...]
    """Step and figure, for the table beside the chart."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One panel."""

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    summary: str
    """What the picture shows, in words."""


def chart_of(panel: Panel) -> Chart:
    """The drawing of a panel."""
    points = [point for curve in panel.curves for point in curve.points]
    x_low, x_high = _range([step for step, _ in points])
    y_values = [value for _, value in points if math.isfinite(value)]
    y_ticks = _steps(*_range(y_values))
    y_low, y_high = min(y_ticks[0], *y_values), max(y_ticks[-1], *y_values)

    def place(point: Point) -> tuple[float, float]:
        step, value = point
        return (
            100 * (step - x_low) / (x_high - x_low),
            100 - 100 * (value - y_low) / (y_high - y_low),
        )

    def line(curve: Curve) -> Line:
        known = [point for point in curve.points if math.isfinite(point[1])]
        course = smoothed(known) if len(known) >= SMOOTH_FROM else tuple(known)
        is_smoothed = len(known) >= SMOOTH_FROM
        return Line(
            label=curve.label,
            role=curve.role,
            path=_path([place(point) for point in thinned(course)]),
            noise=_path([place(point) for point in thinned(known)]) if is_smoothed else "",
            marks=tuple(place(p) for p in known) if len(known) <= MARKED else (),
            last=figure(curve.last),
            rows=tuple((f"{step:g}", figure(value)) for step, value in _table(curve.points)),
        )

    return Chart(
        title=panel.title,
        lines=tuple(line(curve) for curve in panel.curves),
        x_ticks=tuple(
            Tick(at=100 * (step - x_low) / (x_high - x_low), label=f"{step:,.0f}")
            for step in _steps(x_low, x_high)
            if x_low <= step <= x_high
        ),
        y_ticks=tuple(
            Tick(at=100 * (value - y_low) / (y_high - y_low), label=f"{value:.6g}")
            for value in y_ticks
        ),
        summary="; ".join(
            f"{curve.label} from {figure(curve.first)} to {figure(curve.last)}"
            f" over {curve.points[-1][0]:g} steps"
            for curve in panel.curves
        ),
    )


def _table(points: Sequence[Point]) -> Sequence[Point]:
    """About twenty points, the first and the last among them."""
    stride = max(1, len(points) // 20)
    rows = list(points[::stride])
    return rows if rows[-1] == points[-1] else [*rows, points[-1]]


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    around = abs(low) / 2 or 0.5
    return (low, high) if high > low else (low - around, high + around)


def _steps(low: float, high: float) -> list[float]:
    """Round figures from below the lowest to above the highest."""
    rough = (high - low) / TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    size = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough)
    first, last = math.floor(low / size + 1e-9), math.ceil(high / size - 1e-9)
    return [round(at * size, 12) for at in range(first, last + 1)]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:.2f} {y:.2f}" for x, y in points) if points else ""
