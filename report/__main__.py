"""The report of one stack, of an export on standard input: `pulumi stack export | ...`

  python -m report FOLDER            write the page, a card of each model and what is in each image
  python -m report FOLDER --sign     with the provenance of each model, signed
  python -m report FOLDER --verify   compare what is there with what was signed

The key is a file (--key) or the text of one in the variable SIGNING_KEY; private to sign, either
to verify.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from plan.paths import MODEL_CARD
from report.card import card_of
from report.html import html_of
from report.lineage import Lineage, lineages
from report.look import HostSight, digest_host, look_at_host
from report.page import page_of
from report.provenance import differences, digested_paths, paths_of, read_statement, statement
from report.sbom.bills import Bill, bills_of
from report.signature import MAKE_ONE, KeyProblemError, opened, signed
from report.state import StackState, StateError, read_state
from runtime.failure import StepError

PAGE = "index.html"
PROVENANCE = "provenance.intoto.json"
KEY_VARIABLE = "SIGNING_KEY"


def main(arguments: list[str]) -> int:
    """The exit code; 1 for what is wrong with the stack, the key or the bytes."""
    parser = argparse.ArgumentParser(
        prog="python -m report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", type=Path)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--sign", action="store_true")
    what.add_argument("--verify", action="store_true")
    options = parser.parse_args(arguments)
    try:
        state = read_state(sys.stdin.read())
        if options.verify:
            return verify(state, options.folder, _key(options.key))
        write(state, options.folder, _key(options.key) if options.sign else None)
    except (StateError, StepError, KeyProblemError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def write(state: StackState, folder: Path, key: bytes | None) -> None:
    """The page, what is in each image, and for each model its card; with a key its provenance."""
    sight = look_at_host(state)
    bills = bills_of(state, sight, folder, anew=key is not None)
    models = lineages(state, sight.survey)
    written = {folder / PAGE: html_of(page_of(state, sight, bills, now=datetime.now(UTC)))}
    written |= {folder / bill.path: bill.document for bill in bills if not bill.problem}
    for model in models:
        written[folder / model.name / MODEL_CARD] = card_of(model, state)
        if key is not None:
            text = signed(_statement(model, state, sight, bills), key)
            written[folder / model.name / PROVENANCE] = text
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


def verify(state: StackState, folder: Path, key: bytes) -> int:
    """Digest everything again that was signed; the exit code. Every difference is told."""
    envelopes = sorted(folder.glob(f"*/{PROVENANCE}"))
    if not envelopes:
        raise StateError(
            f"there is no */{PROVENANCE} in {folder}. "
            f"Write it first: make report STACK={state.stack} KEY=FILE"
        )
    wrong = 0
    for path in envelopes:
        try:
            told = read_statement(opened(path.read_text(encoding="utf-8"), key))
            found = differences(told, digest_host(state, paths_of(told)))
        except ValueError as error:
            found = [str(error)]
        wrong += bool(found)
        print(f"{path.parent.name}: {f'{len(found)} differences' if found else 'as it was signed'}")
        for line in found:
            print(f"  {line}")
    return 1 if wrong else 0


def _statement(
    model: Lineage, state: StackState, sight: HostSight, bills: Sequence[Bill]
) -> dict[str, object]:
    return statement(model, state, sight, digest_host(state, digested_paths(model)), bills)


def _key(path: Path | None) -> bytes:
    if path is None:
        text = os.environ.get(KEY_VARIABLE, "")
        if not text:
            raise KeyProblemError(f"there is no signing key: give --key FILE. {MAKE_ONE}")
        return text.encode()
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyProblemError(f"the signing key cannot be read: {error}. {MAKE_ONE}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
