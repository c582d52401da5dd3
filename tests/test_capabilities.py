"""Every capability of the README's table is named by the tests that cover it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
CAPABILITY = re.compile(r"\b([HFDTE])(\d)(?:[-–](?:[HFDTE])?(\d))?\b")  # noqa: RUF001


def capabilities(text: str) -> Iterator[str]:
    """The ids in a text; `F1-F3` and `F1-3` stand for three."""
    for letter, first, last in CAPABILITY.findall(text):
        yield from (f"{letter}{number}" for number in range(int(first), int(last or first) + 1))


def promised() -> set[str]:
    rows = re.findall(r"^\| `.*\|([^|]*)\|$", (PROJECT / "README.md").read_text(), re.MULTILINE)
    return {capability for row in rows for capability in capabilities(row)}


def test_what_the_readme_promises_is_covered():
    covered = {
        capability
        for path in (PROJECT / "tests").rglob("test_*.py")
        for capability in capabilities(ast.get_docstring(ast.parse(path.read_text())) or "")
    }
    assert promised() - covered == set()


def test_the_readme_promises_the_whole_guide():
    guide = {"H": 3, "F": 8, "D": 4, "T": 8, "E": 5}
    whole = {f"{letter}{number}" for letter, last in guide.items() for number in range(1, last + 1)}
    assert promised() == whole
