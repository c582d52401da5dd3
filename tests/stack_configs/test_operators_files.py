"""What operators write is taken as they mean it, or refused in words that help."""

from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.settings_schema import schema
from plan.problem import SettingsError
from stack_configs.settings.loader import load_settings
from stack_configs.settings.settings_yaml import SettingsYaml
from tests.json_schema import faults
from tests.stack_configs import operators_files, operators_habits
from tests.stack_configs.operators_files import TEXT, Accepted, Change, Refused

ACCEPTED = operators_files.ACCEPTED | operators_habits.ACCEPTED
REFUSED = operators_files.REFUSED | operators_habits.REFUSED
assert len(ACCEPTED) == len(operators_files.ACCEPTED) + len(operators_habits.ACCEPTED)
assert len(REFUSED) == len(operators_files.REFUSED) + len(operators_habits.REFUSED)

AS_TEXTS = {"yes", "off", "number in quotes"}
"""Taken as what they mean, and yet underlined in an editor: a schema wants the value itself."""


@pytest.fixture
def directory(directory: Path) -> Path:
    """With one more file, of a name that is not ASCII."""
    (directory / "数据 集").mkdir()
    (directory / "数据 集/问题.json").write_bytes((directory / "alpaca.json").read_bytes())
    return directory


def written(change: Change, directory: Path) -> Path:
    """The changed file, in the folder that its data is in."""
    content = change(TEXT)
    if isinstance(content, str):
        placed = content.replace("{folder}", directory.name).replace("{path}", str(directory))
        content = placed.encode()
    (directory / "test.yaml").write_bytes(content)
    return directory / "test.yaml"


@pytest.mark.parametrize("file", ACCEPTED.values(), ids=ACCEPTED)
def test_what_is_right_is_taken_as_it_is_meant(file: Accepted, directory: Path) -> None:
    def step(value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return value[key]
        return value[int(key)] if key.isdigit() else getattr(value, key)

    settings = load_settings(written(file.change, directory))
    found = reduce(step, file.path.split("."), settings)
    assert found == file.means
    assert type(found) is type(file.means)


@pytest.mark.parametrize("file", REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_refused_with_key_value_rule_and_way_out(
    file: Refused, directory: Path
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(written(file.change, directory))
    (problem,) = caught.value.problems
    assert problem.key == file.key
    assert file.value in problem.value
    assert (problem.value == "") == (file.value == "")
    assert file.rule in problem.rule
    assert file.way_out in problem.way_out


class TestSchema:
    """What an editor shows while the file is written."""

    @pytest.mark.parametrize(
        "file",
        [file for file in REFUSED.values() if file.schema_sees_it],
        ids=[name for name, file in REFUSED.items() if file.schema_sees_it],
    )
    def test_it_rejects_what_the_loader_rejects(self, file: Refused, directory: Path) -> None:
        found = faults(read(file.change, directory), schema(), schema())
        assert file.key.replace("settings", "") in found

    @pytest.mark.parametrize(
        "file",
        [
            file
            for name, file in operators_files.ACCEPTED.items()
            if name not in AS_TEXTS and name[:6] != "format"
        ],
        ids=[
            name
            for name in operators_files.ACCEPTED
            if name not in AS_TEXTS and name[:6] != "format"
        ],
    )
    def test_it_takes_what_the_loader_takes(self, file: Accepted, directory: Path) -> None:
        assert faults(read(file.change, directory), schema(), schema()) == []

    def test_it_cannot_see_what_is_marked_so(self, directory: Path) -> None:
        for name, file in REFUSED.items():
            if file.schema_sees_it:
                continue
            try:
                document = read(file.change, directory)
            except (yaml.YAMLError, ValueError, RecursionError):
                continue
            assert faults(document, schema(), schema()) == [], f"mark {name} as seen"


def read(change: Change, directory: Path) -> Any:
    """The document as it is parsed; nothing judged yet."""
    text = written(change, directory).read_text(encoding="utf-8")
    return yaml.load(text, Loader=SettingsYaml)  # noqa: S506 - a SafeLoader
