"""Reads a settings file: strict YAML, strict models, and every problem at once."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from plan.problem import Problem, SettingsError
from stack_configs.settings.consistency import find_inconsistencies
from stack_configs.settings.explanation import find_problems
from stack_configs.settings.root import Settings


class SettingsYaml(yaml.SafeLoader):
    """YAML 1.2's view of scalars, and no key twice: PyYAML keeps the last one silently.

    PyYAML follows YAML 1.1, where `1e-4` is text, `off` a boolean, `012` is ten, `1:30` is ninety
    and `2024-01-01` a date.
    """

    yaml_implicit_resolvers = {
        letter: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
        ]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping whose keys all differ.

        Raises `yaml.constructor.ConstructorError` for a key that is there twice, or is not text.
        """
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be text", key_node.start_mark
                )
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key_node.value!r} is there twice", key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


SettingsYaml.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf")
)
SettingsYaml.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$"),
    list("-+0123456789."),
)
SettingsYaml.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")
)


def find_settings(name: str) -> Path:
    """The settings file of an environment: a name here, or a path to a file kept elsewhere."""
    here = Path(__file__).parents[1]
    return here.parent / name if name.endswith(".yaml") else here / f"{name}.yaml"


def load_settings(path: Path, *, records: Path | None = None) -> Settings:
    """The settings of one environment; `records` remembers what was found in its data files.

    Raises `SettingsError` with every problem of the file: unreadable, not YAML, or not allowed.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=SettingsYaml)  # noqa: S506 - a SafeLoader
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
        place = getattr(error, "problem_mark", None)
        line = f"line {place.line + 1}" if place else "the file"
        rule = getattr(error, "problem", None) or str(error)
        raise SettingsError(
            path.name, [Problem(line, "", f"not readable as YAML: {rule}", "Correct that line")]
        ) from error
    return parse_settings(document, directory=path.parent, source=path.name, records=records)


def parse_settings(
    document: Any, *, directory: Path, source: str, records: Path | None = None
) -> Settings:
    """The settings that a parsed document describes; data files are looked up from `directory`."""
    try:
        settings = Settings.model_validate(
            document, context={"directory": directory, "records": records}
        )
    except ValidationError as error:
        raise SettingsError(source, find_problems(error)) from error
    if problems := find_inconsistencies(settings):
        raise SettingsError(source, problems)
    return settings
