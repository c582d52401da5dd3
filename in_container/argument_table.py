"""Writes down every argument of `llamafactory-cli train` of the release that is installed, as JSON.

Usage: argument_table.py

What the release's own argument classes hold goes into the table: names, types, choices, defaults
and help, transformers' training arguments among them. Runs inside the LLaMA-Factory image;
`stack_configs/settings/llamafactory_arguments.json` keeps what it prints.
"""

# ruff: noqa: PLC0415 - llamafactory is in the image only, and takes seconds to import

import dataclasses
import json
import typing
from collections.abc import Iterable, Mapping
from enum import Enum
from types import UnionType
from typing import Any, get_args, get_origin

KINDS = {bool: "boolean", int: "integer", float: "number", str: "text", list: "list", dict: "map"}
"""What YAML can hold, by the type of the argument class."""


def members(annotation: Any) -> list[Any]:
    """The types that a value may have."""
    if get_origin(annotation) in (typing.Union, UnionType):
        return [part for member in get_args(annotation) for part in members(member)]
    return [annotation]


def describe_argument(annotation: Any, default: Any, text: str) -> dict[str, Any]:
    """Kinds of values, choices where there are some, whether it may be empty, default, help."""
    parts = members(annotation)
    choices = [word for part in parts for word in _words(part)]
    # Text beside an enumeration is one of its words: the class looks it up.
    kinds = (
        [_kind(type(choices[0]))]
        if choices
        else sorted(
            {kind for part in parts if (kind := _kind(get_origin(part) or part)) is not None}
        )
    )
    return {
        "kinds": kinds,
        **({"choices": choices} if choices else {}),
        **({"optional": True} if type(None) in parts or default is None else {}),
        "default": default.value if isinstance(default, Enum) else default,
        "help": " ".join(text.split()),
    }


def _words(part: Any) -> list[Any]:
    if get_origin(part) is typing.Literal:
        return list(get_args(part))
    if isinstance(part, type) and issubclass(part, Enum):
        return [member.value for member in part]
    return []


def _kind(part: Any) -> str | None:
    """None for what no YAML can hold."""
    return KINDS.get(part)


def describe_classes(classes: Iterable[type]) -> dict[str, dict[str, Any]]:
    """Every argument that the classes' constructors take, by its name."""
    table = {}
    for described in classes:
        hints = typing.get_type_hints(described)
        for field in dataclasses.fields(described):
            if field.init:
                factory = field.default_factory
                default = field.default if factory is dataclasses.MISSING else factory()
                table[field.name] = describe_argument(
                    hints[field.name], default, field.metadata.get("help", "")
                )
    return dict(sorted(table.items()))


def render_table(release: str, arguments: Mapping[str, Any]) -> str:
    """The table as JSON, an argument a line: so a change of one shows as such."""
    lines = ",\n".join(f"  {_json(name)}: {_json(row)}" for name, row in arguments.items())
    return f'{{\n "release": {_json(release)},\n "arguments": {{\n{lines}\n }}\n}}'


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    """The command line."""
    from importlib.metadata import version

    from llamafactory.hparams import parser  # type: ignore[import-not-found]

    print(render_table(version("llamafactory"), describe_classes(parser._TRAIN_ARGS)))


if __name__ == "__main__":
    main()
