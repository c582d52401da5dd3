"""The dashboard asks for what the exporter tells, and for all of it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from docs import dashboard

PROJECT = Path(__file__).parents[2]
METRIC = re.compile(r"\bfinetune_[a-z_]+")
PAGE = json.loads((PROJECT / "docs/dashboard.json").read_text(encoding="utf-8"))
MANUAL = (PROJECT / "docs/monitoring.md").read_text(encoding="utf-8")
EXPOSED = {family.exposed for family in dashboard.families().FAMILIES}


def expressions(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


@pytest.mark.parametrize("panel", PAGE["panels"], ids=lambda panel: panel["title"])
def test_a_panel_asks_for_metrics_that_there_are(panel: dict[str, Any]) -> None:
    for expression in expressions(panel):
        assert METRIC.findall(expression)
        assert set(METRIC.findall(expression)) - EXPOSED == set()
        # Of the chosen stacks alone.
        assert expression.count('instance=~"$instance"') == len(METRIC.findall(expression))


def test_every_metric_is_looked_at() -> None:
    asked = {
        name
        for panel in PAGE["panels"]
        for each in expressions(panel)
        for name in METRIC.findall(each)
    }
    assert EXPOSED - asked == set()


def test_no_panel_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PAGE["panels"]:
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= dashboard.COLUMNS
        assert not own & taken, panel["title"]
        taken |= own


def test_the_manual_names_every_metric_and_no_other() -> None:
    named = {name for name in METRIC.findall(MANUAL) if not name.startswith("finetune_exporter")}
    assert named == EXPOSED
