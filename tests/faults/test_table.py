"""The faults' own pieces: the table and the page that it becomes."""

from datetime import date

from faults.page import page
from faults.table import FAULTS, Fault, Kind, Phase
from faults.trial import Verdict

DAY = date(2026, 11, 25)
FAULT = Fault(Kind.CLI, "sft", Phase.AT_WORK)


def row(told: str, fault: Fault) -> str:
    (found,) = (
        line
        for line in told.splitlines()
        if f"| {fault.kind} | {fault.step} | {fault.phase} |" in line
    )
    return found


def test_no_two_faults_have_one_name():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_what_is_not_there_is_not_killed():
    killed = {fault.phase for fault in FAULTS if fault.kind is Kind.CONTAINER}
    assert killed == {Phase.AT_WORK, Phase.RENAMED}


def test_a_fault_that_was_not_tried_is_told_so():
    told = page({}, day=DAY, commit="abc1234")
    assert told.count("| not run |") == len(FAULTS)
    assert f"0 of {len(FAULTS)} faults were tried on 2026-11-25 at commit abc1234" in told


def test_a_healed_fault_has_its_figures():
    told = page({FAULT: Verdict(FAULT, "", (), 12, 34.56)}, day=DAY, commit="abc1234")
    assert row(told, FAULT).endswith("| healed | 12 | 34.6 |")
    assert "1 were healed" in told


def test_a_complaint_stays_in_its_cell():
    told = page(
        {FAULT: Verdict(FAULT, "", ("up failed:\n a | b",), 0, 1)}, day=DAY, commit="abc1234"
    )
    assert "| up failed: a \\| b | 0 | 1.0 |" in row(told, FAULT)
    assert "0 were healed" in told


def test_a_missed_fault_is_no_healed_one():
    missed = Verdict(FAULT, "the container was gone already", (), 3, 1)
    told = page({FAULT: missed}, day=DAY, commit="abc1234")
    assert "| missed: the container was gone already | 3 |" in row(told, FAULT)
    assert "0 were healed" in told
