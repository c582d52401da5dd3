"""Thousands of files that nobody would write: settings or problems in words, each in a moment."""

import resource
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from plan.host import HostFacts
from plan.owner import Owner
from plan.problem import SettingsError
from planning.advice.advice import find_advice
from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import load_settings, parse_settings
from tests.stack_configs.fuzz import changed_document, changed_rows, changed_text, parsed
from tests.stack_configs.operators_files import TEXT

CONFIGS = Path(__file__).parents[2] / "stack_configs"
FILES = [CONFIGS / "dev.yaml", CONFIGS / "demo.yaml", CONFIGS / "examples/two-models.yaml"]
FACTS = HostFacts()

SECONDS = 5.0
"""For one file, on a machine that is busy with other tests."""
MIB = 400
"""Beside what the tests themselves have had before."""

EVERY = pytest.mark.parametrize("count", [1000, pytest.param(50_000, marks=pytest.mark.nightly)])
"""Twice this many settings files: so many texts, and so many documents."""
EVERY_DATA = pytest.mark.parametrize(
    "count", [500, pytest.param(20_000, marks=pytest.mark.nightly)]
)


def taken(judge: Callable[[], Any]) -> bool:
    """Whether it was taken. What is not is told with key, rule and way out, on lines to read."""
    began, refusal = time.monotonic(), None
    try:
        judge()
    except SettingsError as error:
        refusal = error
    assert time.monotonic() - began < SECONDS
    if refusal is None:
        return True
    assert refusal.problems
    assert all(each.key and each.rule and each.way_out for each in refusal.problems)
    assert str(refusal).replace("\n", "").isprintable()
    return False


@pytest.fixture
def bounded() -> Any:
    """Fails where a test took more memory than its files can be worth."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024 < MIB


def planned(settings: Any) -> None:
    """All that a preview makes of settings without a host."""
    plan_pipeline(settings, owner=Owner(stack="test"), facts=FACTS)
    find_advice(settings, FACTS)


@EVERY
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("bounded")
def test_changed_texts(count: int, directory: Path) -> None:
    texts = [TEXT, *(path.read_text(encoding="utf-8") for path in FILES)]
    texts = [text.replace("file: data/", f"file: {CONFIGS}/data/") for text in texts]
    file, found = directory / "test.yaml", 0
    for number in range(count):
        random = Random(f"text {number}")  # noqa: S311 - no secret
        file.write_bytes(changed_text(random.choice(texts), random))
        found += taken(lambda: load_settings(file))
    # Neither is everything refused for one reason, nor anything taken.
    assert count * 0.02 < found < count * 0.8


@EVERY
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("bounded")
def test_changed_documents(count: int, directory: Path) -> None:
    documents = [(parsed(TEXT), directory)]
    documents += [(parsed(path.read_text(encoding="utf-8")), path.parent) for path in FILES]
    found = 0
    for number in range(count):
        random = Random(f"document {number}")  # noqa: S311 - no secret
        document, folder = random.choice(documents)
        changed = changed_document(document, random)

        def judge(changed: Any = changed, folder: Path = folder) -> None:
            planned(parse_settings(changed, directory=folder, source="test.yaml"))

        found += taken(judge)
    assert count * 0.02 < found < count * 0.8


@EVERY_DATA
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("bounded")
def test_changed_data_files(count: int, directory: Path) -> None:
    document, found = parsed(TEXT), 0
    for number in range(count):
        random = Random(f"rows {number}")  # noqa: S311 - no secret
        suffix, content = changed_rows(random)
        file = directory / f"rows{suffix}"
        file.write_bytes(content)
        document["datasets"][0]["file"] = file.name
        named = {b"conversations": "sharegpt", b"messages": "openai"}
        fitting = next((named[word] for word in named if word in content), "alpaca")
        chosen = random.choice([fitting, fitting, "alpaca", "sharegpt", "openai"])
        document["datasets"][0]["formatting"] = chosen

        def judge() -> None:
            parse_settings(document, directory=directory, source="test.yaml")

        found += taken(judge)
    assert count * 0.02 < found < count * 0.8


def test_a_file_of_yaml_is_what_yaml_writes(directory: Path) -> None:
    """What the documents are changed from is what an operator's file is read as."""
    for path in FILES:
        document = parsed(path.read_text(encoding="utf-8"))
        assert parsed(yaml.safe_dump(document)) == document
