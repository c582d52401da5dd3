"""docs/environments.md knows every example, and quotes what the program really says."""

import re
from pathlib import Path

import pytest

from plan.problem import SettingsError
from stack_configs.settings.loader import load_settings

PROJECT = Path(__file__).parents[2]
CONFIGS = PROJECT / "stack_configs"
PAGE = (PROJECT / "docs/environments.md").read_text(encoding="utf-8")


def test_its_table_has_every_example_in_the_examples_own_words() -> None:
    first_lines = {
        path.stem: path.read_text(encoding="utf-8").splitlines()[1].removeprefix("# ")
        for path in (CONFIGS / "examples").glob("*.yaml")
    }
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (.+) \|$", PAGE, flags=re.MULTILINE))
    assert rows == first_lines
    assert list(rows) == sorted(rows)


def test_the_messages_are_the_loaders_own(tmp_path: Path) -> None:
    text = (CONFIGS / "dev.yaml").read_text(encoding="utf-8")
    text = text.replace("file: data/", f"file: {CONFIGS}/data/")
    text = text.replace("shm_size_gb: 16", "shm_size_gb: 16g")
    (tmp_path / "prod.yaml").write_text(text.replace("name: stack-guide", "name: My_Model"))
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "prod.yaml")
    quoted = [line.strip() for line in PAGE.splitlines() if line.startswith("     - ")]
    assert sorted(quoted) == sorted(f"- {problem}" for problem in caught.value.problems)


def test_every_page_that_it_names_is_there() -> None:
    for name in re.findall(r"\]\(([\w.]+\.md)", PAGE):
        assert (PROJECT / "docs" / name).is_file(), name
