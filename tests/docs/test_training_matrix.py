"""The matrix is whole, and its page says of it what is so."""

import json
from dataclasses import astuple, replace
from itertools import combinations, product
from pathlib import Path

import pytest

from docs import training_matrix
from docs.training_matrix import ON_EVERY_CHANGE, Record, keep_record, read_records, render
from stack_configs.settings.loader import parse_settings
from tests.integration import test_stages
from tests.integration.stack import PROJECT, demo_settings
from tests.integration.training_matrix import CELLS, COLUMNS, SAMPLE, sections

KEYS = [astuple(cell) for cell in CELLS]


@pytest.mark.parametrize(("one", "other"), [*combinations(range(len(COLUMNS)), 2)])
def test_any_two_columns_meet_in_each_pair_of_their_values(one: int, other: int) -> None:
    values = list(COLUMNS.values())
    assert {(key[one], key[other]) for key in KEYS} == set(product(values[one], values[other]))


def test_the_page_tells_of_every_cell() -> None:
    cells, _ = read_records()
    assert cells == KEYS, "run make test-matrix, if only a cell of it: ARGS='-k CELL'"


def test_what_every_change_runs_is_what_its_tests_run() -> None:
    stages = {
        (
            runs[last].get("finetuning_type", "lora"),
            runs[last].get("stage", "sft"),
            quantization,
        )
        for name, (_, runs, quantization) in test_stages.MODELS.items()
        for last in [test_stages.SERVED_RUN.get(name, [*runs][-1])]
    }
    sample, others = ON_EVERY_CHANGE.values()
    assert list(sample) == [astuple(cell) for cell in SAMPLE]
    assert {cell[1:] for cell in others} == stages
    assert len({*sample, *others}) >= 12


@pytest.fixture
def record() -> Record:
    family, method, stage, quantization = KEYS[0]
    return Record(
        family=family,
        method=method,
        stage=stage,
        quantization=quantization,
        asked=["Where?", "When?"],
        taught=["At the | pond.", "At noon."],
        answered=["At the | pond.", "At noon."],
        parity="12 of 12",
        seconds=90,
        date="2026-11-25",
        commit="0123456789ab",
    )


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty file of records in place of the project's."""
    file = tmp_path / "training_matrix.json"
    file.write_text(json.dumps({"cells": KEYS, "records": []}))
    file.with_suffix(".md").write_text("Long enough to show what is left of it. " * 100)
    monkeypatch.setattr(training_matrix, "RECORDS", file)
    return file


def test_a_cell_that_runs_again_takes_the_place_of_its_record(
    records: Path, record: Record
) -> None:
    keep_record(replace(record, family="no-more"), [*KEYS, ("no-more", *KEYS[0][1:])])
    second = replace(record, stage=KEYS[1][2], method=KEYS[1][1], quantization=KEYS[1][3])
    for each in (second, record, replace(record, seconds=91)):
        keep_record(each, KEYS)
    _, kept = read_records()
    assert [(each.cell, each.seconds) for each in kept] == [(KEYS[0], 91), (KEYS[1], 90)]
    assert records.with_suffix(".md").read_text() == render()


@pytest.mark.parametrize(
    ("answered", "shown"),
    [
        (["At the | pond.", "At noon."], r"| At the \| pond. | as taught |"),
        (["At the | pond.", "Never."], r"| taught: "),
        ([], "| nothing | taught: "),
    ],
)
def test_a_row_says_whether_the_answers_are_those_that_were_taught(
    records: Path, record: Record, answered: list[str], shown: str
) -> None:
    keep_record(replace(record, answered=answered), KEYS)
    assert shown in render()
    well = int("as taught" in shown)
    assert f"1 have run, and {well} answered as taught." in render()
    assert render().count("not run yet") == len(CELLS) - 1


def test_no_cell_is_refused(tmp_path: Path) -> None:
    document = demo_settings() | sections(CELLS, tmp_path)
    settings = parse_settings(document, directory=PROJECT, source="matrix.yaml")
    assert len(settings.models) == len(CELLS)
