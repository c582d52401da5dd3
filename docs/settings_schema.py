"""The JSON schema of an environment's settings: completion, hints and red lines in an editor.

It knows the shape of each section. Rules between sections, and what the data files hold, are the
loader's alone.
"""

import json
import re
from typing import Any

from stack_configs.settings.loader import EXTENSION
from stack_configs.settings.release_arguments import RELEASE_ARGUMENTS, ReleaseArgument
from stack_configs.settings.root import Settings
from stack_configs.settings.rule import SECRET_KEY
from stack_configs.settings.run_spelling import ELSEWHERE

DIALECT = "http://json-schema.org/draft-07/schema#"
"""What YAML's language server reads."""

CAPABILITIES = re.compile(r" \([A-Z]\d+(?:[-, ]+[A-Z]?\d+)*\)")
"""References such as (H1-H3) in a docstring: they are for who reads the code."""

TYPES = {
    "boolean": "boolean",
    "integer": "integer",
    "number": "number",
    "text": "string",
    "list": "array",
    "map": "object",
}
"""JSON's words for what an argument of LLaMA-Factory may hold."""

TITLE = "Settings of one environment"


def schema() -> dict[str, Any]:
    """The schema as JSON's own types."""
    made: dict[str, Any] = _trimmed(Settings.model_json_schema())
    # A place for anchors, which the loader leaves out.
    own: dict[str, Any] = {"patternProperties": {f"^{EXTENSION}": {}}}
    return {"$schema": DIALECT, "title": TITLE, **made, **own}


def editor_schema() -> dict[str, Any]:
    """The schema with every argument of LLaMA-Factory that may stand in a training run."""
    made = schema()
    run = made["$defs"]["TrainingRunSettings"]
    beside = {
        name: _argument(argument)
        for name, argument in RELEASE_ARGUMENTS.items()
        if argument.kinds and name not in ELSEWHERE and not SECRET_KEY.search(name)
    }
    run["properties"] = {**beside, **run["properties"]}
    # As LLaMA-Factory calls it, or as the stack does.
    run["required"].remove("datasets")
    run["anyOf"] = [{"required": ["datasets"]}, {"required": ["dataset"]}]
    return made


def _argument(argument: ReleaseArgument) -> dict[str, Any]:
    empty = ["null"] if argument.optional else []
    taken: dict[str, Any] = {"type": [*(TYPES[kind] for kind in argument.kinds), *empty]}
    if argument.choices:
        taken = {"enum": [*argument.choices, *([None] if argument.optional else [])]}
    if argument.holds_several:
        taken["type"].append("array")
    return {**taken, "description": argument.help}


def render() -> str:
    """The schema as a file."""
    return json.dumps(editor_schema(), indent=2, ensure_ascii=False) + "\n"


def _trimmed(part: Any) -> Any:
    """Without what pydantic makes of names: titles, and a section's defaults all over again."""
    if isinstance(part, list):
        return [_trimmed(item) for item in part]
    if not isinstance(part, dict):
        return part
    kept: dict[str, Any] = {}
    for key, value in part.items():
        if key == "properties":
            # Its keys are settings, whatever they are called.
            kept[key] = {name: _trimmed(setting) for name, setting in value.items()}
        elif key == "description":
            kept[key] = " ".join(CAPABILITIES.sub("", value).split())
        elif key not in ("title", "format") and not (key == "default" and value is None):
            kept[key] = value if key == "default" else _trimmed(value)
    return kept
