"""Reads a settings file: strict YAML, strict models, and every problem at once."""

import errno
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from plan.problem import Problem, SettingsError
from stack_configs.settings.consistency import find_inconsistencies
from stack_configs.settings.explanation import find_problems
from stack_configs.settings.held_out import find_held_out_problems
from stack_configs.settings.root import Settings
from stack_configs.settings.settings_yaml import FULL_WIDTH, WAYS_OUT, SettingsYaml
from stack_configs.settings.unfit_values import find_unfit_values

EXTENSION = "x-"
"""How a key of the file's own begins: a place for anchors, which is no setting."""

MOST_BYTES = 512 * 1024
"""Of a settings file: a hundred models take a fifth."""


def find_settings(name: str) -> Path:
    """The settings file of an environment: a name here, or a path to a file kept elsewhere."""
    here = Path(__file__).parents[1]
    is_path = name.endswith((".yaml", ".yml"))
    return here.parent / name if is_path else here / f"{name}.yaml"


def load_settings(path: Path, *, records: Path | None = None) -> Settings:
    """The settings of one environment; `records` remembers what was found in its data files.

    Raises `SettingsError` with every problem of the file: unreadable, not YAML, or not allowed.
    """
    document = _read(path)
    return parse_settings(document, directory=path.parent, source=path.name, records=records)


def _read(path: Path) -> Any:
    try:
        text = _content(path).decode("utf-8-sig")
        return yaml.load(text, Loader=SettingsYaml)  # noqa: S506 - a SafeLoader
    except OSError as error:
        there = ", ".join(sorted(other.stem for other in path.parent.glob("*.yaml"))) or "none"
        problem = Problem(
            "stack_config",
            str(path),
            f"cannot be read ({error.strerror})",
            f"Choose one of: {there}",
        )
        raise SettingsError(path.name, [problem]) from error
    except UnicodeDecodeError as error:
        problem = Problem("the file", "", "not UTF-8 text", "Save it as UTF-8")
        raise SettingsError(path.name, [problem]) from error
    except yaml.YAMLError as error:
        raise SettingsError(path.name, [_broken_yaml(error, text)]) from error


def _content(path: Path) -> bytes:
    """The bytes of a file.

    Raises `OSError` for what is none or cannot be read, `SettingsError` for more than settings are.
    """
    if "\0" in str(path) or (path.exists() and not path.is_file()):
        raise OSError(errno.EINVAL, "it is no file")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        rule = f"it has more than {MOST_BYTES // 1024} KiB, which no settings need"
        problem = Problem("the file", "", rule, "Name data in files of their own")
        raise SettingsError(path.name, [problem])
    return content


def _broken_yaml(error: yaml.YAMLError, text: str) -> Problem:
    place = getattr(error, "problem_mark", None)
    line = f"line {place.line + 1}" if place else "the file"
    rule = getattr(error, "problem", None) or str(error)
    found = (way_out for words, way_out in WAYS_OUT.items() if words in rule)
    otherwise = "Correct that line, or the one above"
    if place:
        # An error shows where the next line begins.
        near = "".join(text.split("\n")[max(place.line - 1, 0) : place.line + 1])
        if typed := [character for character in near if character in FULL_WIDTH]:
            otherwise = f"Type {FULL_WIDTH[typed[0]]} for {typed[0]!r}, here or a line above"
    return Problem(line, "", f"not readable as YAML: {rule}", next(found, otherwise))


def parse_settings(
    document: Any, *, directory: Path, source: str, records: Path | None = None
) -> Settings:
    """The settings that a parsed document describes; data files are looked up from `directory`."""
    if isinstance(document, dict):
        document = {
            key: value for key, value in document.items() if not str(key).startswith(EXTENSION)
        }
    if problems := [*find_unfit_values(document)]:
        raise SettingsError(source, problems)
    try:
        settings = Settings.model_validate(
            document, context={"directory": directory, "records": records}
        )
    except ValidationError as error:
        raise SettingsError(source, find_problems(error)) from error
    held_out = find_held_out_problems(settings, records=records)
    if problems := [*find_inconsistencies(settings), *held_out]:
        raise SettingsError(source, problems)
    return settings
