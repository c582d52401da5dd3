"""YAML as settings are written in it: what a scalar looks like, each key once, an end to it all."""

import math
import re
from typing import Any

import yaml

DEEPEST = 40
"""Sections and lists inside one another; the settings themselves need eight."""

MOST_VALUES = 50_000
"""Values of a file, an alias counted as all that it stands for."""

MOST_DIGITS = 4000
"""Python reads no number of many more."""

TOO_DEEP = "sections inside sections without end"
IN_ITSELF = "an alias inside its anchor"
TOO_MANY = f"more than {MOST_VALUES} values, with what its aliases stand for"


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

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._extents: dict[yaml.Node, tuple[int, int]] = {}
        """Of each finished node: the values in it, and how deep they lie."""

    def scan_flow_scalar_non_spaces(self, double: bool, start_mark: Any) -> list[str]:
        """Pieces of a quoted text.

        Raises `yaml.scanner.ScannerError` for an escape that no character has.
        """
        try:
            pieces: list[str] = super().scan_flow_scalar_non_spaces(double, start_mark)
        except ValueError:
            raise yaml.scanner.ScannerError(
                None, None, "an escape of no character", start_mark
            ) from None
        return pieces

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        """A node, and what its anchor may be used for from now on.

        Raises `yaml.constructor.ConstructorError` where it is larger than settings can be, or holds
        itself.
        """
        event = self.peek_event()  # type: ignore[no-untyped-call]
        mark, is_alias = event.start_mark, isinstance(event, yaml.AliasEvent)
        self._depth += 1
        if self._depth > DEEPEST:
            raise yaml.constructor.ConstructorError(None, None, TOO_DEEP, mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        if node is None or (is_alias and node in self._extents):
            return node
        if is_alias:
            raise yaml.constructor.ConstructorError(None, None, IN_ITSELF, mark)
        self._extents[node] = self._extent(node, mark)
        return node

    def _extent(self, node: yaml.Node, mark: Any) -> tuple[int, int]:
        inside = [] if isinstance(node, yaml.ScalarNode) else node.value
        parts = [part for item in inside for part in (item if isinstance(item, tuple) else (item,))]
        extents = [self._extents[part] for part in parts]
        values = 1 + sum(count for count, _ in extents)
        depth = 1 + max((depth for _, depth in extents), default=0)
        if depth > DEEPEST:
            raise yaml.constructor.ConstructorError(None, None, TOO_DEEP, mark)
        if values > MOST_VALUES:
            raise yaml.constructor.ConstructorError(None, None, TOO_MANY, mark)
        return values, depth

    def compose_sequence_node(self, anchor: Any) -> yaml.SequenceNode:
        """A list that is tagged as nothing else."""
        self._demand_no_tag()
        node = super().compose_sequence_node(anchor)
        assert node is not None  # noqa: S101 - only a document may be empty
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """A mapping as it is written, before `<<` brings in what it may override.

        Raises `yaml.constructor.ConstructorError` for a key that is there twice, or is not text.
        """
        self._demand_no_tag()
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
        self._demand_no_tag("tag:yaml.org,2002:str")
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)
        return node

    def _demand_no_tag(self, *allowed: str) -> None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if event.tag not in (None, "!", *allowed):
            raise yaml.constructor.ConstructorError(
                None, None, f"the tag {event.tag!r} before a value", event.start_mark
            )

    def construct_yaml_int(self, node: yaml.ScalarNode) -> Any:
        """A whole number; one of thousands of digits is infinite, for its setting to refuse."""
        return int(node.value) if len(node.value) < MOST_DIGITS else math.inf


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
SettingsYaml.add_constructor("tag:yaml.org,2002:int", SettingsYaml.construct_yaml_int)


WAYS_OUT = {
    "'\\t'": "Indent with spaces: YAML allows no tabs there",
    "mapping values are not allowed": "Put a text that holds ': ' in quotes, or correct the "
    "indentation",
    "found unknown escape": "Write the text in single quotes, where a backslash is a backslash",
    "is there twice": "Keep one of them",
    "another document": "Keep one document: a stack has a file of its own",
    "undefined alias": "Give it its anchor (&name) further up in the file, or quote a text that "
    "begins with *",
    "an escape of no character": "Write a code up to \\U0010FFFF, or the character itself",
    TOO_DEEP: f"Remove them: nothing lies deeper than {DEEPEST}",
    TOO_MANY: "Remove what is repeated",
    IN_ITSELF: "Write out what is meant: nothing can hold itself",
    "before a value": "Leave the tag out; quotes make a value a text",
    "'@'": "Put a text that begins with it in quotes",
    "'`'": "Put a text that begins with it in quotes",
    "'%'": "Put a text that begins with it in quotes",
}
"""What helps against the commonest mistakes in YAML, by words of PyYAML's message."""

FULL_WIDTH = {
    "\uff1a": "':'",
    "\uff0c": "','",
    "\u201c": "'\"'",
    "\u201d": "'\"'",
    "\uff3b": "'['",
    "\uff3d": "']'",
    "\u3000": "a plain space",
    "\u00a0": "a plain space",
}
"""What an editor or a keyboard may put in the place of YAML's own signs."""
