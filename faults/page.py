"""The page that tells what each fault led to."""

from collections.abc import Mapping
from datetime import date

from faults.table import FAULTS, Fault
from faults.trial import Verdict

HEAD = (
    "| fault | step | phase | outcome | answers meanwhile | `up` (s) |\n|---|---|---|---|---|---|"
)


def page(verdicts: Mapping[Fault, Verdict], *, day: date, commit: str) -> str:
    """Markdown, with a row for every fault of the table, run or not."""
    rows = "\n".join(_row(fault, verdicts.get(fault)) for fault in FAULTS)
    healed = sum(not each.complaints and not each.missed for each in verdicts.values())
    return (
        "# What breaks, and what one `up` makes of it\n\n"
        "Written by `python -m faults`; do not edit.\n\n"
        f"{len(verdicts)} of {len(FAULTS)} faults were tried on {day} at commit {commit}; "
        f"{healed} were healed by one `up`.\n\n{HEAD}\n{rows}\n"
    )


def _row(fault: Fault, verdict: Verdict | None) -> str:
    told = (
        ("not run", "", "")
        if verdict is None
        else (
            _outcome(verdict),
            str(verdict.answered),
            f"{verdict.seconds:.1f}",
        )
    )
    return f"| {' | '.join((fault.kind, fault.step, fault.phase, *told))} |"


def _outcome(verdict: Verdict) -> str:
    missed = [f"missed: {verdict.missed}"] if verdict.missed else []
    return "; ".join(_cell(each) for each in (*missed, *verdict.complaints)) or "healed"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())[:300]
