"""The JSON schema of an environment's settings: completion, hints and red lines in an editor.

It knows the shape of each section. Rules between sections, and what the data files hold, are the
loader's alone.
"""

import json
import re
from typing import Any

from stack_configs.settings.loader import EXTENSION
from stack_configs.settings.root import Settings

DIALECT = "http://json-schema.org/draft-07/schema#"
"""What YAML's language server reads."""

CAPABILITIES = re.compile(r" \([A-Z]\d+(?:[-, ]+[A-Z]?\d+)*\)")
"""References such as (H1-H3) in a docstring: they are for who reads the code."""

TITLE = "Settings of one environment"


def schema() -> dict[str, Any]:
    """The schema as JSON's own types."""
    made: dict[str, Any] = _trimmed(Settings.model_json_schema())
    # A place for anchors, which the loader leaves out.
    own: dict[str, Any] = {"patternProperties": {f"^{EXTENSION}": {}}}
    return {"$schema": DIALECT, "title": TITLE, **made, **own}


def render() -> str:
    """The schema as a file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


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
