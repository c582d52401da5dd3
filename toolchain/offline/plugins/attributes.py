"""The attributes of a resource, and checking inputs against them.

The official docker plugin is Terraform's docker provider behind Pulumi's bridge. The bridge's
`Check` fills in the defaults of the Terraform schema that say anything (a false, a 0 and an empty
text say nothing) and lists them under `__defaults`, at every depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from toolchain.offline.plugins.property_values import Properties, Unknown
from toolchain.offline.plugins.provider import Checked, Failure

DEFAULTS_KEY = "__defaults"

Kind = Literal["string", "integer", "boolean", "list", "set", "map", "object"]

_TYPES: Mapping[Kind, tuple[type, str]] = {
    "string": (str, "a string"),
    "integer": (int, "a whole number"),
    "boolean": (bool, "true or false"),
    "list": (list, "a list"),
    "set": (list, "a list"),
    "map": (dict, "a map of strings"),
    "object": (dict, "an object"),
}


@dataclass(frozen=True)
class Attribute:
    """One attribute, in the words of Terraform's schema.

    `fields` describes an object, or the objects in a list or set; a list or set without `fields`
    holds strings. What is not `served` has its default and its place in the state, but a program
    may not give it.
    """

    kind: Kind
    required: bool = False
    force_new: bool = False
    computed: bool = False
    default: Any = None
    pattern: str | None = None
    minimum: int | None = None
    fields: Mapping[str, Attribute] | None = None
    served: bool = True


Schema = Mapping[str, Attribute]


def check_inputs(schema: Schema, subject: str, news: Properties) -> Checked:
    """Validate inputs and fill in the schema's defaults; all failures are found at once."""
    failures: list[Failure] = []
    inputs = _check_object(schema, subject, "", news, failures)
    return Checked(inputs, tuple(failures))


def without_defaults_key(value: Any) -> Any:
    """The value without the bridge's lists of defaults, at every depth."""
    if isinstance(value, dict):
        return {
            key: without_defaults_key(item) for key, item in value.items() if key != DEFAULTS_KEY
        }
    if isinstance(value, list):
        return [without_defaults_key(item) for item in value]
    return value


def _check_object(
    schema: Schema, subject: str, path: str, news: Mapping[str, Any], failures: list[Failure]
) -> Properties:
    inputs: Properties = {}
    for key, value in news.items():
        # Marks of Pulumi's own, and nulls, say nothing: the bridge drops them as well.
        if key.startswith("__") or value is None:
            continue
        if key not in schema or not schema[key].served:
            reason = (
                f"{subject}: property {path}{key} is not served by this stand-in; "
                "the official docker plugin 5.2.0 is needed for it"
            )
            failures.append(Failure(path + key, reason))
            continue
        inputs[key] = _check_value(schema[key], subject, path + key, value, failures)
    defaults = []
    for key, attribute in schema.items():
        if key in inputs:
            continue
        if attribute.required:
            failures.append(Failure(path + key, f"{subject}: property {path}{key} is missing"))
        elif attribute.default is not None:
            inputs[key] = attribute.default
            defaults.append(key)
    inputs[DEFAULTS_KEY] = sorted(defaults)
    return inputs


def _check_value(
    attribute: Attribute, subject: str, path: str, value: Any, failures: list[Failure]
) -> Any:
    if isinstance(value, Unknown):
        return value
    expected, described = _TYPES[attribute.kind]
    is_flag_for_number = isinstance(value, bool) and attribute.kind == "integer"
    if not isinstance(value, expected) or is_flag_for_number:
        got = type(value).__name__
        failures.append(
            Failure(path, f"{subject}: property {path} has to be {described}, got {got}")
        )
        return value
    failures.extend(
        Failure(path, f"{subject}: property {path} is {value!r}, but {problem}")
        for problem in _problems(attribute, value)
    )
    if attribute.fields is not None and isinstance(value, dict):
        return _check_object(attribute.fields, subject, f"{path}.", value, failures)
    if isinstance(value, list):
        each = Attribute("object" if attribute.fields else "string", fields=attribute.fields)
        return [
            _check_value(each, subject, f"{path}[{position}]", item, failures)
            for position, item in enumerate(value)
        ]
    return value


def _problems(attribute: Attribute, value: Any) -> Iterator[str]:
    if attribute.pattern and isinstance(value, str) and not re.fullmatch(attribute.pattern, value):
        yield f"it has to match {attribute.pattern}"
    if attribute.minimum is not None and value < attribute.minimum:
        yield f"it has to be at least {attribute.minimum}"
    if attribute.kind == "map" and any(
        not isinstance(item, str | Unknown) for item in value.values()
    ):
        yield "all values of the map have to be strings"
