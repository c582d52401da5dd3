"""`python -m faults [NAME...]`: break a stack of its own on this host's engine; write the page."""

import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import docker

from faults.page import page
from faults.table import FAULTS, Fault
from faults.trial import Verdict, small_stack, try_fault
from tests.integration.stack import PROJECT, Stack

PAGE = PROJECT / "docs/faults.md"


def main(names: list[str]) -> int:
    """Exit status 1 where a fault was missed or not healed, 2 for a name that is none."""
    if unknown := set(names) - {fault.name for fault in FAULTS}:
        print(f"no such fault: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    chosen = [fault for fault in FAULTS if not names or fault.name in names]
    commit = subprocess.check_output(
        ["git", "describe", "--always", "--dirty"], cwd=PROJECT, text=True
    ).strip()
    verdicts: dict[Fault, Verdict] = {}
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "home")
        small_stack(stack)
        try:
            first = stack.up()
            if first.returncode:
                print(first.output, file=sys.stderr)
                return 1
            for number, fault in enumerate(chosen, start=1):
                verdicts[fault] = verdict = try_fault(docker.from_env(), stack, fault, number)
                print(fault.name, verdict.missed, verdict.complaints or "healed", flush=True)
                PAGE.write_text(page(verdicts, day=datetime.now(UTC).date(), commit=commit))
        finally:
            stack.abandon()
    return int(any(verdict.complaints or verdict.missed for verdict in verdicts.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
