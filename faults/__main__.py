"""`python -m faults [NAME...]`: break a stack of its own on this host's engine; write the page."""

import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import docker

from faults.page import PAGE, page
from faults.record import Record, keep_record, read_records
from faults.table import FAULTS
from faults.trial import small_stack, try_fault
from tests.integration.stack import PROJECT, Stack


def main(names: list[str]) -> int:
    """Exit status 1 where a fault was missed or not healed, 2 for a name that is none."""
    if unknown := set(names) - {fault.name for fault in FAULTS}:
        known = "\n  ".join(fault.name for fault in FAULTS)
        print(f"no such fault: {', '.join(sorted(unknown))}. There are\n  {known}", file=sys.stderr)
        return 2
    chosen = [fault for fault in FAULTS if not names or fault.name in names]
    commit = subprocess.check_output(
        ["git", "describe", "--always", "--dirty=+"], cwd=PROJECT, text=True
    ).strip()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "home")
        small_stack(stack)
        try:
            first = stack.up()
            if first.returncode:
                print(first.output, file=sys.stderr)
                return 1
            for number, fault in enumerate(chosen, start=1):
                verdict = try_fault(docker.from_env(), stack, fault, number)
                failed |= bool(verdict.missed or verdict.complaints)
                print(f"{fault.name}: {verdict}", flush=True)
                if verdict.missed:
                    continue
                keep_record(
                    Record(
                        fault=fault.name,
                        complaints=verdict.complaints,
                        healing=verdict.healing,
                        answered=verdict.answered,
                        seconds=round(verdict.seconds, 1),
                        date=datetime.now(UTC).date().isoformat(),
                        commit=commit,
                    )
                )
                PAGE.write_text(page(read_records()), encoding="utf-8")
        finally:
            stack.abandon()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
