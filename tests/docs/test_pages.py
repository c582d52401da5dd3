"""Pages for people: every link leads somewhere, every job has a page, every command is one."""

import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")
MAKE = re.compile(r"\bmake ((?:-s )?[a-z][a-z-]*)\b")
PAGES = sorted(
    PROJECT / name
    for name in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.split()
    if not name.startswith("report/")
)


def targets() -> set[str]:
    """What the Makefile declares."""
    (line,) = re.findall(r"^\.PHONY: (.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    return set(line.split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]+`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = {a or b for a, b in LINK.findall(text)}
    inner = [link.partition("#")[0] for link in links if not re.match(r"https?:|mailto:|#", link)]
    assert [link for link in inner if not (page.parent / link).exists()] == []


def code(page: Path) -> str:
    """What a page shows as typed."""
    return "\n".join(
        re.findall(r"```.*?```|`[^`\n]+`", page.read_text(encoding="utf-8"), re.DOTALL)
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_make_is_a_target(page: Path) -> None:
    named = {word.removeprefix("-s ") for word in MAKE.findall(code(page))}
    assert named - targets() == set()


def test_the_index_lists_every_page() -> None:
    index = (PROJECT / "docs/README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (PROJECT / "docs").glob("*.md")} - {"README.md"}
    assert {link for link, _ in LINK.findall(index)} == pages


def test_help_names_every_target() -> None:
    help_text = subprocess.run(
        ["make", "-s", "help"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    named = set(re.findall(r"^make ([a-z-]+)", help_text, re.MULTILINE))
    assert named == targets() - {"help"}


def test_the_chinese_readme_has_the_same_sections_and_shows_the_same_code() -> None:
    english, chinese = (
        (PROJECT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md")
    )
    shown = re.compile(r"```.*?```", re.DOTALL)
    assert shown.findall(chinese) == shown.findall(english)
    levels = re.compile(r"^#+(?= )", re.MULTILINE)
    assert levels.findall(shown.sub("", chinese)) == levels.findall(shown.sub("", english))
    # A table's first column names what an operator types, reads or opens.
    first = re.compile(r"^\| (?=`)(.*?) \|", re.MULTILINE)
    names = [re.findall(r"`([^`]+)`", cell) for cell in first.findall(english)]
    assert [re.findall(r"`([^`]+)`", cell) for cell in first.findall(chinese)] == names
