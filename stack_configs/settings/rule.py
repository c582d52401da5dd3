"""How a validator says which rule of the settings is broken."""

import re

import pydantic_core

SECRET_KEY = re.compile(r"(^|_)token$|password|secret|credential|api_?key", re.IGNORECASE)
"""Keys whose values are never repeated in a message: they may be real."""

RULE = "finetune_rule"
"""The kind of these errors among pydantic's own."""


def rule_error(rule: str, way_out: str, *, value: str = "") -> pydantic_core.PydanticCustomError:
    """An error for a validator to raise; the loader makes it a `Problem` with its key.

    `value` is what was given, where the rule does not say it already.
    """
    told = {"rule": rule, "way_out": way_out, "value": value}
    return pydantic_core.PydanticCustomError(RULE, "{rule}", told)
