"""The report of one stack: pulumi stack export | python -m report FOLDER."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from report.html import html_of
from report.look import look_at_host
from report.page import page_of
from report.state import StateError, read_state
from runtime.failure import StepError

PAGE = "index.html"


def main(arguments: list[str]) -> int:
    """Write the page of the stack whose export is on standard input; the exit code."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    try:
        state = read_state(sys.stdin.read())
        page = page_of(state, look_at_host(state), now=datetime.now(UTC))
    except (StateError, StepError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(html_of(page), encoding="utf-8")
    print(folder / PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
