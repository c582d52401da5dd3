"""What the README says that the stack covers is what tests prove on a real engine."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[1]
ROW = re.compile(r"^\| `.*\|([^|]*)\|$", re.MULTILINE)
"""A row of a table whose first cell names components; the last cell is what they cover."""
RANGE = re.compile(r"\b([A-Z])(\d+)(?:–[A-Z]?(\d+))?\b")  # noqa: RUF001 - as tables write it


def capabilities(text: str) -> Iterator[str]:
    """The ids in a text; `F1–F3` stands for three."""  # noqa: RUF002
    for letter, first, last in RANGE.findall(text):
        yield from (f"{letter}{number}" for number in range(int(first), int(last or first) + 1))


def claimed() -> set[str]:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    return {each for cell in ROW.findall(readme) for each in capabilities(cell)}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What pytest itself finds, so that a mark counts wherever pytest lets one stand."""
    file = tmp_path_factory.mktemp("capabilities") / "report.json"
    collect = ["--collect-only", "--quiet", "-m", "", "-p", "tests.capability_report"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *collect],
        cwd=PROJECT,
        env={**os.environ, "CAPABILITY_REPORT": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert file.exists(), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def test_everything_that_is_claimed_is_proven(report: dict[str, Any]) -> None:
    assert claimed() - report["proven"].keys() == set()


def test_everything_that_is_proven_is_claimed(report: dict[str, Any]) -> None:
    assert report["proven"].keys() - claimed() == set()


def test_only_a_real_engine_proves_anything(report: dict[str, Any]) -> None:
    assert report["unreal"] == []


@pytest.mark.parametrize(
    ("text", "ids"),
    [("F1–F3 F8", ["F1", "F2", "F3", "F8"]), ("", []), ("H1 T10–11", ["H1", "T10", "T11"])],  # noqa: RUF001
)
def test_a_table_cell_is_read(text: str, ids: list[str]) -> None:
    assert list(capabilities(text)) == ids
