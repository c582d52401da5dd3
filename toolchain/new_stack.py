"""`new`: the two files of a new stack, its settings from a copy of another's."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from toolchain import stack_config
from toolchain.errors import ToolchainError
from toolchain.places import APPLICATION, Places
from toolchain.progress import say

SETTINGS = Path("stack_configs")
SCHEMA = SETTINGS / "schema.json"
SCHEMA_LINE = "# yaml-language-server: $schema="
STACK_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
"""What Pulumi, a file and a container's name all take."""

PATHS = (
    *(("datasets", "file"), ("datasets", "media_dir")),
    *(("images", "certificate_authority"), ("reverse_proxy", "certificate")),
)
"""Settings, by section, that are looked up from the folder of their file."""


def new(places: Places, stack: str, source: str) -> int:
    """Write `stack_configs/STACK.yaml` and `Pulumi.STACK.yaml`, and say what to do next.

    `source` is another stack, or a file under `stack_configs/` by its name. Raises
    `ToolchainError`, having written nothing, where a file is there already or a name is wrong.
    """
    if not STACK_NAME.fullmatch(stack):
        msg = (
            f"STACK is {stack!r}: a stack's name has lower-case letters, digits and '-', "
            "40 of them at most, as it becomes part of container names. "
            "Give it such a name: make new STACK=prod"
        )
        raise ToolchainError(msg)
    settings, config = SETTINGS / f"{stack}.yaml", Path(f"Pulumi.{stack}.yaml")
    if there := [str(path) for path in (settings, config) if (places.repository / path).exists()]:
        msg = (
            f"{' and '.join(there)} {'is' if len(there) == 1 else 'are'} there already, and "
            "nothing is overwritten. Choose another name: make new STACK=..."
        )
        raise ToolchainError(msg)
    origin = _settings_of(places, source)
    text = copied(origin, places.repository / settings, places.repository / SCHEMA)
    (places.repository / settings).write_text(text, encoding="utf-8")
    (places.repository / config).write_text(f"config:\n  {APPLICATION}:stack_config: {stack}\n")
    say(f"Wrote {settings}, from {os.path.relpath(origin, places.repository)}, and {config}")
    print(next_steps(stack, settings), flush=True)
    return 0


def next_steps(stack: str, settings: Path) -> str:
    """Return what an operator does with the two files."""
    return "\n".join(
        (
            "",
            f"  1. Edit {settings}: docs/settings.md has every key, docs/environments.md the way.",
            "     Two stacks on one host need ports of their own: ollama_server, board, api.",
            f"  2. make preview STACK={stack}    tells what is wrong, and what it would make",
            f"  3. make up STACK={stack}",
            "",
            "  Only for a gated model, or an API with a key, after the first make up:",
            f'     eval "$(make -s env)"; pulumi config set --secret hub_token --stack {stack}',
        )
    )


def copied(origin: Path, target: Path, schema: Path) -> str:
    """Return the text of a settings file as it reads at another place.

    Comments stay. Relative paths lead to the same files as before, the first line to the schema.
    """
    text = origin.read_text(encoding="utf-8")
    try:
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        msg = f"{origin} is not valid YAML, so that nothing can be made from it: {error}"
        raise ToolchainError(msg) from error
    # From the last to the first: what stands before a change stays where it is.
    for node in sorted(_paths(document), key=lambda node: node.start_mark.index, reverse=True):
        if moved := _moved(str(node.value), origin.parent, target.parent):
            text = text[: node.start_mark.index] + moved + text[node.end_mark.index :]
    line = SCHEMA_LINE + os.path.relpath(schema, target.parent)
    first, _, rest = text.partition("\n")
    return "\n".join((line, rest if first.startswith(SCHEMA_LINE) else text))


def _settings_of(places: Places, source: str) -> Path:
    """The settings file of a stack, or one under `stack_configs/` by its name."""
    name = source
    if (places.repository / f"Pulumi.{source}.yaml").is_file():
        config = stack_config.read(places.repository / f"Pulumi.{source}.yaml").get("config") or {}
        name = str(config.get(f"{APPLICATION}:stack_config") or source)
    if name.endswith((".yaml", ".yml")):
        path = places.repository / name
    else:
        path = places.repository / SETTINGS / f"{name}.yaml"
    if path.is_file():
        return path
    folder = places.repository / SETTINGS
    known = sorted(str(p.relative_to(folder).with_suffix("")) for p in folder.rglob("*.yaml"))
    msg = (
        f"FROM is {source!r}: there is no {os.path.relpath(path, places.repository)}. "
        f"Choose one of: {', '.join(known) or 'no settings file at all'}"
    )
    raise ToolchainError(msg)


def _paths(document: yaml.Node | None) -> list[yaml.ScalarNode]:
    """Every path in the document, once; an alias leads to where its anchor is."""
    found: dict[int, yaml.ScalarNode] = {}
    for section, key in PATHS:
        for entry in _values(document, section):
            items = entry.value if isinstance(entry, yaml.SequenceNode) else [entry]
            for item in items:
                for value in _values(item, key):
                    if isinstance(value, yaml.ScalarNode):
                        found[value.start_mark.index] = value
    return list(found.values())


def _values(node: yaml.Node | None, key: str) -> Iterator[yaml.Node]:
    """What a mapping, or one that `<<` brings into it, has under a key."""
    if not isinstance(node, yaml.MappingNode):
        return
    for name, value in node.value:
        if name.value == key:
            yield value
        elif name.tag == "tag:yaml.org,2002:merge":
            sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for source in sources:
                yield from _values(source, key)


def _moved(path: str, before: Path, after: Path) -> str | None:
    """The path as it is written in another folder; None where it is the same."""
    if not path or Path(path).is_absolute() or before == after:
        return None
    moved = os.path.relpath(before / path, after)
    return moved if re.fullmatch(r"[\w./][\w./-]*", moved) else json.dumps(moved)
