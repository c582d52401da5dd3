"""JSON as Python's `json.dumps` writes it, in Ollama's Go templates.

Training wrote tools and arguments so: with a space after each comma and colon, or indented. Go's
own `json` writes neither, and is used for single values alone. Where Go ranges over names they are
sorted; an object inside a value is written as Go does.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A name and its value, as Go text; written where `given` is true, if that is set."""

    name: str
    value: str
    given: str = ""


@dataclass(frozen=True)
class Layout:
    """How deep lines are indented; 0 writes everything in one line."""

    indent: int = 0

    def _line(self, level: int) -> str:
        return "\n" + " " * (self.indent * level) if self.indent else ""

    def _between(self, level: int) -> str:
        return "," + (self._line(level) or " ")

    def object(self, entries: Sequence[Entry], level: int = 0) -> str:
        """An object with these entries; the first one is always given."""
        text = "{" + self._line(level + 1)
        for index, entry in enumerate(entries):
            between = self._between(level + 1) if index else ""
            written = f'{between}"{entry.name}": {entry.value}'
            if entry.given:
                written = "{{ if " + entry.given + " }}" + written + "{{ end }}"
            text += written
        return text + self._line(level) + "}"

    def mapping(self, names: str, value: str, level: int) -> str:
        """An object with an entry for each name in a Go map; `$name` and `$value` are its parts."""
        between = "," if self.indent else ", "
        return (
            "{{ if " + names + ' }}{{ "{" }}{{ $between := "" }}'
            "{{ range $name, $value := "
            + names
            + " }}{{ $between }}"
            + self._line(level + 1)
            + "{{ json $name }}: "
            + value
            + '{{ $between = "'
            + between
            + '" }}{{ end }}'
            + self._line(level)
            + '}{{ else }}{{ "{}" }}{{ end }}'
        )

    def sequence(self, items: str, level: int) -> str:
        """A list of single values."""
        between = self._between(level + 1)
        return (
            "["
            + self._line(level + 1)
            + "{{ range $index, $item := "
            + items
            + " }}{{ if $index }}"
            + between
            + "{{ end }}{{ json $item }}{{ end }}"
            + self._line(level)
            + "]"
        )


def one_property(layout: Layout, level: int) -> str:
    """What is said of one parameter, `$value`."""
    return layout.object(
        [
            Entry("type", "{{ json $value.Type }}"),
            Entry("description", "{{ json $value.Description }}", given="$value.Description"),
            Entry("enum", layout.sequence("$value.Enum", level + 1), given="$value.Enum"),
        ],
        level,
    )


def tool(layout: Layout, level: int = 0) -> str:
    """The function of a tool, with Go's dot at the tool."""
    parameters = layout.object(
        [
            Entry("type", "{{ json .Function.Parameters.Type }}"),
            Entry(
                "properties",
                layout.mapping(
                    ".Function.Parameters.Properties",
                    one_property(layout, level + 3),
                    level + 2,
                ),
            ),
            Entry(
                "required",
                layout.sequence(".Function.Parameters.Required", level + 2),
                given=".Function.Parameters.Required",
            ),
        ],
        level + 1,
    )
    return layout.object(
        [
            Entry("name", "{{ json .Function.Name }}"),
            Entry("description", "{{ json .Function.Description }}", given=".Function.Description"),
            Entry("parameters", parameters),
        ],
        level,
    )


def wrapped_tool(layout: Layout) -> str:
    """A tool as OpenAI's API has it."""
    return layout.object([Entry("type", '"function"'), Entry("function", tool(layout, 1))])


def arguments() -> str:
    """The arguments of a call, with Go's dot at the call."""
    return Layout().mapping(".Function.Arguments", "{{ json $value }}", 0)
