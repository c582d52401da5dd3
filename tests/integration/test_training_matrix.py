"""The matrix of `training_matrix.py`, for real: what was taught last is what Ollama answers.

`make test-matrix` runs all of it, a stack for each cell, and writes `docs/training_matrix.md`. On
every change a sample runs, in one `up`.
"""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from docs.training_matrix import RECORDS, Record, keep_record, read_records
from tests.integration.conftest import Engine
from tests.integration.stack import PROJECT, Stack
from tests.integration.training_matrix import (
    CELLS,
    DIFFERENT,
    QUESTIONS,
    SAMPLE,
    Cell,
    answers_of,
    sections,
)

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1500)]


def stack_of(cells: Sequence[Cell], folder: Path) -> Stack:
    """One with the data of all cells, and these models."""
    stack = Stack(folder / "home")
    stack.settings |= sections(cells, folder)
    # One image for all cells, whatever each of them needs.
    stack.settings["images"]["llamafactory"] = {"extras": ["bitsandbytes", "ppo"]}
    return stack


def ask(url: str, cell: Cell) -> list[str]:
    """What the cell's model says to each question."""
    pairs = zip(QUESTIONS, answers_of(cell), strict=True)
    return [_ask(url, cell, question, len(answer)) for question, answer in pairs]


def _ask(url: str, cell: Cell, question: str, length: int) -> str:
    body: dict[str, Any] = {"model": cell.name, "stream": False}
    if cell.stage == "pt":
        way, body = "generate", body | {"prompt": question, "raw": True}
    else:
        way, body = "chat", body | {"messages": [{"role": "user", "content": question}]}
    reply = httpx.post(f"{url}/api/{way}", json=body, timeout=120)
    assert reply.status_code == 200, reply.text
    said = reply.json()
    if cell.stage == "pt":
        # Where a text ends is not learnt: to most tokenizers the end is padding, and passed over.
        return str(said["response"]).strip()[:length]
    return str(said["message"]["content"]).strip()


@pytest.fixture(scope="module")
def sample(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Outputs of a stack after its one up."""
    stack = stack_of(SAMPLE, tmp_path_factory.mktemp("sample"))
    try:
        update = stack.up()
        assert update.returncode == 0, update.output
        yield stack.outputs()
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)


@pytest.mark.parametrize("cell", SAMPLE, ids=lambda cell: cell.name)
@pytest.mark.capability("T3", "T4", "E2", "E3", "E4")
def test_a_sample_answers_what_it_was_taught(sample: dict[str, Any], cell: Cell):
    assert ask(sample["ollama_url"], cell) == [*answers_of(cell)]
    parity = sample["parity"][cell.name]
    assert parity["equal"] == parity["compared"] >= 10


@cache
def commit() -> str:
    """What is checked out; a `+` after it: with changes beside the records."""
    (head, changes) = (
        subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=True)
        for words in (
            ["rev-parse", "--short=12", "HEAD"],
            ["status", "--porcelain", "--", ".", f":!{RECORDS.with_suffix('.*')}"],
        )
    )
    return head.stdout.strip() + ("+" if changes.stdout else "")


def cells_to_run() -> Sequence[Cell]:
    """All; with MATRIX_RESUME those alone that have not answered as taught at this commit."""
    if not os.environ.get("MATRIX_RESUME"):
        return CELLS
    _, records = read_records()
    done = {each.cell for each in records if each.is_as_taught and each.commit == commit()}
    return [cell for cell in CELLS if astuple(cell) not in done]


@pytest.mark.matrix
@pytest.mark.parametrize("cell", cells_to_run(), ids=lambda cell: cell.name)
def test_a_cell_answers_what_it_was_taught(engine: Engine, tmp_path: Path, cell: Cell):
    stack = stack_of([cell], tmp_path)
    started = time.monotonic()
    try:
        update = stack.up()
        told, answered = {"equal": 0, "compared": 0}, []
        if update.returncode == 0:
            outputs = stack.outputs()
            told = outputs["parity"][cell.name]
            answered = ask(outputs["ollama_url"], cell)
        record = Record(
            family=cell.family,
            method=cell.method,
            stage=cell.stage,
            quantization=cell.quantization,
            asked=QUESTIONS,
            taught=answers_of(cell),
            answered=answered,
            parity=f"{told['equal']} of {told['compared']}",
            seconds=round(time.monotonic() - started),
            date=datetime.now(UTC).date().isoformat(),
            commit=commit(),
        )
        keep_record(record, [astuple(each) for each in CELLS])
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)
    assert update.returncode == 0, update.output
    assert answered == [*answers_of(cell)]
    assert told["equal"] == told["compared"] - DIFFERENT.get(cell.family, 0) >= 9
