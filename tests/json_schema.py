"""JSON schema, as much of it as the schema of the settings uses."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

TYPES = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "number": int | float,
    "object": dict,
    "string": str,
}
REMARKS = {"$schema", "$defs", "title", "description", "default", "examples"}
RULES = {
    "const": lambda value, wanted: value == wanted and type(value) is type(wanted),
    "enum": lambda value, words: any(value == word and type(value) is type(word) for word in words),
    "pattern": lambda value, pattern: re.search(pattern, value) is not None,
    "minLength": lambda value, least: len(value) >= least,
    "maxLength": lambda value, most: len(value) <= most,
    "minItems": lambda value, least: len(value) >= least,
    "minimum": lambda value, least: value >= least,
    "maximum": lambda value, most: value <= most,
    "exclusiveMinimum": lambda value, least: value > least,
    "exclusiveMaximum": lambda value, most: value < most,
    "multipleOf": lambda value, step: value % step == 0,
}
"""What each keyword asks of a value of the right type."""
NESTED = {
    "$ref",
    "anyOf",
    "type",
    "properties",
    "patternProperties",
    "additionalProperties",
    "required",
    "items",
}


def faults(
    value: Any, rule: Mapping[str, Any], root: Mapping[str, Any], path: str = ""
) -> list[str]:
    """Where a document breaks its schema, as paths such as `models[0].name`."""
    return list(dict.fromkeys(_faults(value, rule, root, path)))


def _faults(
    value: Any, rule: Mapping[str, Any], root: Mapping[str, Any], path: str
) -> Iterator[str]:
    unknown = rule.keys() - REMARKS - RULES.keys() - NESTED
    assert not unknown, f"this validator knows nothing of {unknown}"
    if "$ref" in rule:
        yield from _faults(value, root["$defs"][rule["$ref"].rpartition("/")[2]], root, path)
    if "anyOf" in rule:
        found = [faults(value, option, root, path) for option in rule["anyOf"]]
        yield from min(found, key=len)
    if "type" in rule:
        wrong_boolean = isinstance(value, bool) and rule["type"] != "boolean"
        if wrong_boolean or not isinstance(value, TYPES[rule["type"]]):
            yield path
            return
    if not all(holds(value, rule[word]) for word, holds in RULES.items() if word in rule):
        yield path
    if isinstance(value, dict) and rule.keys() & {"properties", "additionalProperties"}:
        yield from _faults_of_an_object(value, rule, root, path)
    if isinstance(value, list) and "items" in rule:
        for index, item in enumerate(value):
            yield from _faults(item, rule["items"], root, f"{path}[{index}]")


def _faults_of_an_object(
    value: Mapping[str, Any], rule: Mapping[str, Any], root: Mapping[str, Any], path: str
) -> Iterator[str]:
    known, others = rule.get("properties", {}), rule.get("additionalProperties", {})
    patterns = rule.get("patternProperties", {})
    for key, item in value.items():
        where = f"{path}.{key}" if path else str(key)
        if any(re.search(pattern, str(key)) for pattern in patterns):
            continue
        if key not in known and others is False:
            yield where
        else:
            yield from _faults(item, known.get(key, others), root, where)
    for key in rule.get("required", ()):
        if key not in value:
            yield f"{path}.{key}" if path else key
