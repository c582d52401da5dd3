"""Reads a settings file: strict YAML, strict models, and every problem at once."""

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from plan.problem import Problem, SettingsError
from stack_configs.settings.consistency import find_inconsistencies
from stack_configs.settings.explanation import find_problems
from stack_configs.settings.held_out import find_held_out_problems
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

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """A mapping as it is written, before `<<` brings in what it may override.

        Raises `yaml.constructor.ConstructorError` for a key that is there twice, or is not text.
        """
        node = super().compose_mapping_node(anchor)
        assert node is not None  # noqa: S101 - only a document may be empty
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
        return node

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        """A scalar that is what it looks like.

        Raises `yaml.constructor.ConstructorError` for a tag that says otherwise, such as `!!int`.
        """
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise yaml.constructor.ConstructorError(
                None, None, f"the tag {event.tag!r} before a value", event.start_mark
            )
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)
        return node


SettingsYaml.add_implicit_resolver(
    "tag:yaml.org,2002:bool",
    re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
    list("tTfF"),
)
SettingsYaml.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$"),
    list("-+0123456789."),
)
SettingsYaml.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")
)


EXTENSION = "x-"
"""How a key of the file's own begins: a place for anchors, which is no setting."""

WAYS_OUT = {
    "'\\t'": "Indent with spaces: YAML allows no tabs there",
    "mapping values are not allowed": "Put a text that holds ': ' in quotes, or correct the "
    "indentation",
    "found unknown escape": "Write the text in single quotes, where a backslash is a backslash",
    "is there twice": "Keep one of them",
    "another document": "Keep one document: a stack has a file of its own",
    "undefined alias": "Give it its anchor (&name) further up in the file, or quote a text that "
    "begins with *",
    "before a value": "Leave the tag out; quotes make a value a text",
    "'@'": "Put a text that begins with it in quotes",
    "'`'": "Put a text that begins with it in quotes",
    "'%'": "Put a text that begins with it in quotes",
}
"""What helps against the commonest mistakes in YAML, by words of PyYAML's message."""


def find_settings(name: str) -> Path:
    """The settings file of an environment: a name here, or a path to a file kept elsewhere."""
    here = Path(__file__).parents[1]
    is_path = name.endswith((".yaml", ".yml"))
    return here.parent / name if is_path else here / f"{name}.yaml"


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
        raise SettingsError(path.name, [_broken_yaml(error)]) from error
    except RecursionError as error:
        problem = Problem("the file", "", "sections inside sections without end", "Remove them")
        raise SettingsError(path.name, [problem]) from error
    except ValueError as error:
        # Python reads no number of thousands of digits.
        problem = Problem("the file", "", f"it holds no such number: {error}", "Correct it")
        raise SettingsError(path.name, [problem]) from error
    return parse_settings(document, directory=path.parent, source=path.name, records=records)


def _broken_yaml(error: yaml.YAMLError) -> Problem:
    place = getattr(error, "problem_mark", None)
    line = f"line {place.line + 1}" if place else "the file"
    rule = getattr(error, "problem", None) or str(error)
    found = (way_out for words, way_out in WAYS_OUT.items() if words in rule)
    return Problem(
        line,
        "",
        f"not readable as YAML: {rule}",
        next(found, "Correct that line, or the one above"),
    )


def parse_settings(
    document: Any, *, directory: Path, source: str, records: Path | None = None
) -> Settings:
    """The settings that a parsed document describes; data files are looked up from `directory`."""
    if isinstance(document, dict):
        document = {
            key: value for key, value in document.items() if not str(key).startswith(EXTENSION)
        }
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
