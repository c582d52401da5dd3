"""How usage and prune are told: aligned columns; bold heads in a terminal, plain text elsewhere."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from report.words import size
from retention.items import Item, Standing

HEADS = ("model", "step", "kind", *(standing.value for standing in Standing))
BOLD, PLAIN = "\033[1m", "\033[0m"
NOTHING = "there is nothing that no stack refers to"


def usage_table(items: Sequence[Item], *, is_terminal: bool = False) -> Iterator[str]:
    """The room that each model, step and kind takes, by what it is there for; lines."""
    rows: dict[tuple[str, str, str], list[Item]] = defaultdict(list)
    for item in items:
        rows[item.model, item.step, item.kind].append(item)
    # What belongs to no model comes last.
    ordered = sorted(rows, key=lambda row: (not row[0], row))
    cells = [[*row, *_by_standing(rows[row])] for row in ordered]
    cells.append(["", "", "all of it", *_by_standing(items)])
    yield from aligned([list(HEADS), *cells], is_terminal=is_terminal)
    for why, bytes_, count in _reasons(items):
        yield f"  {size(bytes_)} in {counted(count, 'item')}: {why}"


def prune_table(items: Sequence[Item], *, is_terminal: bool = False) -> Iterator[str]:
    """What is to go, each with its size and why; lines."""
    rows = [
        [
            item.kind,
            " ".join(part for part in (item.model, item.step, item.name) if part),
            size(item.bytes),
            item.why,
        ]
        for item in items
    ]
    yield from aligned([["kind", "what", "size", "why"], *rows], is_terminal=is_terminal)
    yield f"{size(sum(item.bytes for item in items))} in {counted(len(items), 'item')}"


def aligned(rows: Sequence[Sequence[str]], *, is_terminal: bool = False) -> Iterator[str]:
    """Rows as lines; the first of them is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for index, row in enumerate(rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        line = "  ".join(cells).rstrip()
        yield f"{BOLD}{line}{PLAIN}" if is_terminal and index == 0 else line


def counted(count: int, noun: str) -> str:
    """So many of them, as one says it."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _by_standing(items: Iterable[Item]) -> Iterator[str]:
    found = list(items)
    for standing in Standing:
        own = [item for item in found if item.standing is standing]
        yield f"{size(sum(item.bytes for item in own))} ({len(own)})" if own else ""


def _reasons(items: Sequence[Item]) -> Iterator[tuple[str, int, int]]:
    """What stays though the stack does not need it, by why."""
    found: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.standing in (Standing.STAYS, Standing.KEPT):
            found[f"{item.standing.value}: {item.why}"].append(item)
    for why, own in sorted(found.items()):
        yield why, sum(item.bytes for item in own), len(own)
