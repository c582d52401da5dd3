"""What all suites have in common."""

from pathlib import Path

import hypothesis
import pytest

# Several suites may share a slow machine: an example's time says nothing about the code.
hypothesis.settings.register_profile("suite", deadline=None, max_examples=50)
hypothesis.settings.load_profile("suite")


@pytest.fixture(autouse=True)
def no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered from one test to the next, nor in the operator's own cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "operators-cache"))
