"""No value ends in a stack trace, takes long or much, or is more than a value where it goes."""

import resource
import time
from pathlib import Path

import pytest

from plan.problem import SettingsError
from stack_configs.settings.loader import load_settings
from tests.stack_configs.bad_values import REFUSED
from tests.stack_configs.operators_files import TEXT, Change

SECONDS = 5.0
"""On a machine that is busy with other tests."""
MIB = 300
LONGEST_MESSAGE = 6000


def memory() -> int:
    """Most memory that this process has had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.mark.parametrize(("change", "key", "rule"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_at_once_and_in_words(
    directory: Path, change: Change, key: str, rule: str
) -> None:
    content = change(TEXT)
    (directory / "test.yaml").write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    began, before = time.monotonic(), memory()
    with pytest.raises(SettingsError) as caught:
        load_settings(directory / "test.yaml")
    told = str(caught.value)
    assert time.monotonic() - began < SECONDS
    assert memory() - before < MIB
    (problem,) = caught.value.problems
    assert problem.key == key
    assert rule in problem.rule
    assert problem.way_out
    assert len(told) < LONGEST_MESSAGE
    assert told.replace("\n", "").isprintable()


@pytest.mark.parametrize("deep", [30, 39])
def test_what_lies_as_deep_as_settings_may_is_read(directory: Path, deep: int) -> None:
    (directory / "test.yaml").write_text(f"{TEXT}x-deep: {'[' * (deep - 1)}1{']' * (deep - 1)}\n")
    assert load_settings(directory / "test.yaml").models[0].name == "guide"


def test_a_file_of_two_thousand_problems_is_told_in_a_moment(directory: Path) -> None:
    (directory / "test.yaml").write_text(
        TEXT + "".join(f"key_{index}: 1\n" for index in range(2000))
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(directory / "test.yaml")
    lines = str(caught.value).splitlines()
    assert lines[-1] == "  and 401 more"
    assert caught.value.problems[-1].rule == "1500 more are wrong"


@pytest.mark.parametrize("place", ["/dev/zero", "/", "nowhere\0.yaml", "loop.yaml"])
def test_what_is_no_file_is_told(directory: Path, place: str) -> None:
    (directory / "loop.yaml").symlink_to("loop.yaml")
    with pytest.raises(SettingsError) as caught:
        load_settings(directory / place)
    (problem,) = caught.value.problems
    assert problem.key == "stack_config"
    assert "cannot be read" in problem.rule
