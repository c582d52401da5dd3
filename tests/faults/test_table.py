"""The faults' own pieces: the table, what is kept of a trial, and the page that it becomes."""

from dataclasses import replace
from pathlib import Path

from faults.page import PAGE, page
from faults.record import Record, keep_record, read_records
from faults.table import CONTAINER_PHASES, FAULTS, TRAINING, Fault, Kind, Phase

FAULT = Fault(Kind.CLI, TRAINING, Phase.AT_WORK)
RECORD = Record(
    fault=FAULT.name,
    complaints=(),
    healing=("train stack-guide attached", "merge stack-guide started"),
    answered=12,
    seconds=34.56,
    date="2026-11-25",
    commit="abc1234",
)


def row(told: str, fault: Fault) -> str:
    begin = f"| {fault.kind} | {fault.step.name} | {fault.phase} |"
    (found,) = (line for line in told.splitlines() if line.startswith(begin))
    return found


def test_no_two_faults_have_one_name():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_what_is_not_there_is_not_killed():
    killed = {fault.phase for fault in FAULTS if fault.kind in (Kind.CONTAINER, Kind.STOP)}
    assert killed == {*CONTAINER_PHASES, Phase.CHECKPOINT}


def test_there_are_a_hundred_different_faults():
    assert len({(fault.kind, fault.step, fault.phase) for fault in FAULTS}) >= 100


def test_a_fault_that_was_not_tried_is_told_so():
    told = page({})
    assert told.count("| not tried |") == len(FAULTS)
    assert f"0 of {len(FAULTS)} faults were tried; 0 were healed" in told


def test_a_healed_fault_has_its_figures_and_its_day():
    told = page({FAULT.name: RECORD})
    assert row(told, FAULT).endswith(
        "| healed | train stack-guide attached, merge stack-guide started | 12 | 34.6 "
        "| 2026-11-25, abc1234 |"
    )
    assert "1 were healed" in told


def test_a_complaint_stays_in_its_cell_and_is_no_healing():
    told = page({FAULT.name: replace(RECORD, complaints=("up failed:\n a | b",))})
    assert "| up failed: a \\| b |" in row(told, FAULT)
    assert "0 were healed" in told


def test_a_later_trial_takes_the_place_of_an_earlier_one_alone(tmp_path: Path):
    file = tmp_path / "faults.json"
    other = replace(RECORD, fault="stop-merge-named")
    later = replace(RECORD, seconds=1.0)
    for each in (RECORD, other, later):
        keep_record(each, file)
    kept = read_records(file)
    assert {name: each.seconds for name, each in kept.items()} == {
        FAULT.name: 1.0,
        other.fault: 34.56,
    }


def test_the_page_is_what_the_records_say():
    records = read_records()
    assert PAGE.read_text(encoding="utf-8") == page(records)
    assert records.keys() <= {fault.name for fault in FAULTS}
