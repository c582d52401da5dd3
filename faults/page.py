"""The page that tells what each fault led to."""

from collections.abc import Mapping
from pathlib import Path

from faults.record import Record
from faults.table import FAULTS, Fault

PAGE = Path(__file__).parents[1] / "docs/faults.md"

HEAD = """<!-- Made by `make faults` from what it ran. -->

# What breaks, and what one `up` makes of it

`make faults` converges a stack of its own, a small model on the processor, changes its settings
so that a step has new work, and breaks the `up` that follows in the middle of that, for real. One
more `up` has to heal it. Then the stack is judged: another `up` has nothing to do; no finished
work is lost; every folder of the output volume has a marker, and tensors of the very size that
undisturbed work has; Ollama has the served model, the one that is kept beside it, and no other;
and that model has answered a client all the while, but for the rows where Ollama itself is
killed. That the judge calls broken what is broken is a test of its own
(`tests/integration/test_faults.py`).

A row counts as tried when it was seen that the step stood in its phase as it broke:

* At work, its container is paused before anything is killed.
* About to name its artefact, and just after, `mv` is held by the means that the kernel gives
  debuggers; it goes on once the fault has happened.
* Of a model on its way to its name, the command in Ollama's container is stopped (SIGSTOP).
* A container that is created, or just gone, cannot be held: it is looked at after the kill, and the
  fault is tried anew where that came too late.

"CLI and program killed" is SIGKILL to every process of the `up`, as when its machine goes down;
"CLI alone" leaves its plugins and programs at work beside the `up` that heals. `pulumi cancel`
takes back the lock that such a CLI leaves in a backend of files. "Second up begun" is one of the
same stack on the same machine, which has to be refused. "Program killed" is SIGKILL to the step's
own program alone, which the CLI tells as a failed step. "Container killed" is `docker kill` of
the step's container, "stopped" `docker stop` of it, and "Ollama killed" and "stopped" the same of
the server's. At rest, the last artefact of a step, or its marker, is damaged while no `up` runs.

Not tried, and in no row: a container killed before it starts or once it is gone, as there is
none; bytes that flip in finished weights and checkpoints; full disks; a killed engine; a cut
network; two `up` at once from two machines; a clock that jumps; a data file that changes while it
is read.
"""

COLUMNS = "| what | step | phase | outcome | the next `up` | answers meanwhile | s | tried |"


def page(records: Mapping[str, Record]) -> str:
    """Markdown, with a row for every fault of the table, run or not."""
    tried = [records[fault.name] for fault in FAULTS if fault.name in records]
    healed = sum(not record.complaints for record in tried)
    rows = "\n".join(_row(fault, records.get(fault.name)) for fault in FAULTS)
    return (
        f"{HEAD}\n{len(tried)} of {len(FAULTS)} faults were tried; {healed} were healed by one "
        f"`up`.\n\n{COLUMNS}\n|---|---|---|---|---|---|---|---|\n{rows}\n"
    )


def _row(fault: Fault, record: Record | None) -> str:
    told = (
        ("not tried", "", "", "", "")
        if record is None
        else (
            "; ".join(map(_cell, record.complaints)) or "healed",
            ", ".join(map(_cell, record.healing)) or "found all made",
            str(record.answered),
            f"{record.seconds:.1f}",
            f"{record.date}, {record.commit}",
        )
    )
    return f"| {' | '.join((fault.kind, fault.step.name, fault.phase, *told))} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())[:300]
