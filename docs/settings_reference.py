"""docs/settings.md: every setting, its values, its default and what it means, from the schema."""

from collections.abc import Iterator, Mapping
from typing import Any

from docs.settings_schema import schema

HEAD = """<!-- Made by `python -m docs.generate` from stack_configs/settings/. -->

# Settings

Every key of an environment's YAML file. A misspelt key is an error, and so is a value that does not
fit; `pulumi preview` tells all of them at once. Beside what stands here, the sections must fit
together: a run names data sets that are declared, ports differ, and so on.

An editor with a YAML language server completes and checks the file when its first line is
`# yaml-language-server: $schema=schema.json`, with the way from your file to
`stack_configs/schema.json`.
"""

Schema = Mapping[str, Any]

LISTED = 20
"""Names that a cell of a table holds at most."""

NUMBERS = {"integer": "a whole number", "number": "a number"}
LIMITS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "to {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "in steps of {}",
}


def render() -> str:
    """The whole page."""
    root = schema()
    return "\n".join([HEAD, *_Page(root["$defs"]).section(root, "")])


class _Page:
    """The sections in the order in which they are met, each described once."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._met: dict[str, str] = {}
        """By the name of its definition, where each section was met first."""

    def section(self, section: Schema, path: str) -> Iterator[str]:
        """The table of a section's settings, and then the sections inside it."""
        before, required = set(self._met), section.get("required", ())
        yield "| key | value | default | meaning |"
        yield "|---|---|---|---|"
        for key, setting in section["properties"].items():
            value = self._value(setting, f"{path}.{key}" if path else key)
            default = "required" if key in required else self._default(setting)
            cells = (f"`{key}`", value, default, self._meaning(setting))
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        yield ""
        for name in [name for name in self._met if name not in before]:
            definition = self._definitions[name]
            yield f"## `{self._met[name]}`\n\n{definition['description']}\n"
            yield from self.section(definition, self._met[name])

    def _value(self, setting: Schema, path: str) -> str:
        """What may be given, in words."""
        if "$ref" in setting:
            name = setting["$ref"].rpartition("/")[2]
            first = self._met.setdefault(name, path)
            return f"section [`{first}`](#{_anchor(first)})"
        if "anyOf" in setting:
            kinds = [kind for kind in setting["anyOf"] if kind.get("type") != "null"]
            return " or ".join(dict.fromkeys(self._value(kind, path) for kind in kinds))
        match setting.get("type"):
            case "array":
                return f"list of {self._value(setting['items'], f'{path}[]')}"
            case "object" if "additionalProperties" not in setting:
                return "names and values"
            case "object":
                entries = self._value(setting["additionalProperties"], path)
                return f"names, each with {entries}"
        return _scalar(setting)

    def _default(self, setting: Schema) -> str:
        default = setting.get("default")
        if isinstance(default, dict) and "$ref" in setting:
            own = self._definitions[setting["$ref"].rpartition("/")[2]]["properties"]
            changed = {
                key: value
                for key, value in default.items()
                if not isinstance(value, dict) and value != own[key].get("default")
            }
            return ", ".join(f"`{key}: {_yaml(value)}`" for key, value in changed.items())
        if default is None:
            return "" if "$ref" in setting else "unset"
        return f"`{_yaml(default)}`"

    def _meaning(self, setting: Schema) -> str:
        if "description" in setting:
            return str(setting["description"])
        if "$ref" in setting:
            definition = self._definitions[setting["$ref"].rpartition("/")[2]]
            return str(definition["description"]).partition(". ")[0].rstrip(".") + "."
        kinds = [kind for kind in setting.get("anyOf", ()) if "$ref" in kind]
        return self._meaning(kinds[0]) if kinds else ""


def _scalar(setting: Schema) -> str:
    if words := setting.get("enum", [setting["const"]] if "const" in setting else []):
        if len(words) > LISTED:
            return f"one of {len(words)} names"
        return ", ".join(f"`{word}`" for word in words)
    kind = setting["type"]
    if kind in NUMBERS:
        limits = [word.format(setting[key]) for key, word in LIMITS.items() if key in setting]
        return " ".join([NUMBERS[kind], *limits])
    return {"boolean": "`true`, `false`", "string": "text"}[kind]


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict) and not value:
        return "[]" if isinstance(value, list) else "{}"
    return str(value)


def _anchor(heading: str) -> str:
    """How GitHub names the heading of a section."""
    return "".join(letter for letter in heading.lower() if letter.isalnum() or letter in "_-")
