"""Settings files and data files as nobody would write them, the same for the same number."""

import copy
import json
from random import Random
from typing import Any

import yaml

from stack_configs.settings.settings_yaml import SettingsYaml

PIECES = [
    *("", "\t", ":", ": ", "- ", "&a ", "*a", "<<: *a\n", "!!int ", "!!binary ", "? ", "|", ">"),
    *("'", '"', "{", "}", "[", "]", "#", "%", "@", "---\n", "...", "\r", "\0", "~", "=", ",", "\n"),
    *("  ", "\\U00110000", '"\\x00"', "1e999", "0x1f", "012", "1:30", "9" * 50, "\ufeff", "\u2028"),
    *(
        "\uff1a",
        "\uff0c",
        "\u00a0",
        "\U0001d54f",
        "é",
        "!",
        "`",
        "..",
        "../",
        "~/",
        "$(x)",
        "${X}",
        "%s",
        "{{ . }}",
    ),
]
"""What YAML, a shell, a path or a template would take for more than it is."""

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 10**30, 0.0, -0.5, 1e-300, 1e308, float("inf")),
    *(
        "",
        " ",
        "\n",
        "\0",
        "all",
        "3",
        "1e-4",
        "on",
        "../x.json",
        "/",
        "//",
        "~",
        "a/b:c",
        "[",
        "::",
    ),
    *(
        "x" * 300,
        "x@y",
        "-o",
        "--help",
        "$(x)",
        "`x`",
        "'; x",
        '"""',
        "{{ . }}",
        "\u3000",
        "\ud800",
    ),
    *("llama3", "finetune-stack/x:y", "Guide:Latest", "base-model", "http://a b", "ssh://-o", "<<"),
    *([], {}, [None], [[[]]], {"": ""}, {"a": {"b": ["c"]}}, ["alpaca", "alpaca"]),
]

NUMBERS = "0123456789eE+-._"


def changed_text(text: str, random: Random) -> bytes:
    """A text with pieces of it replaced, cut, doubled or broken."""
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        start = random.randint(0, len(text))
        end = min(len(text), start + random.choice([0, 0, 1, 2, 5, 30]))
        piece = random.choice(PIECES)
        match random.randrange(4):
            case 0:
                piece = text[end : end + random.randint(0, 80)]
            case 1:
                piece = "".join(random.choice(NUMBERS) for _ in range(random.randint(1, 20)))
        text = text[:start] + piece + text[end:]
    return _encoded(text, random)


def _encoded(text: str, random: Random) -> bytes:
    match random.randrange(40):
        case 0:
            return text.encode("utf-16", "surrogatepass")
        case 1:
            return text.encode("latin-1", "replace")
        case 2:
            return b"\xef\xbb\xbf" + text.encode("utf-8", "surrogatepass")
        case 3:
            return text.replace("\n", "\r\n").encode("utf-8", "surrogatepass")
        case 4:
            content = bytearray(text.encode("utf-8", "surrogatepass"))
            for _ in range(3):
                content[random.randrange(len(content))] = random.randrange(256)
            return bytes(content)
    return text.encode("utf-8", "surrogatepass")


def parsed(text: str) -> Any:
    """A settings file's document, to be changed."""
    return yaml.load(text, Loader=SettingsYaml)  # noqa: S506 - a SafeLoader


def changed_document(document: Any, random: Random) -> Any:
    """A document with something deleted, doubled, moved, renamed or replaced in it."""
    changed = copy.deepcopy(document)
    for _ in range(random.randint(1, 3)):
        places = list(_holders(changed))
        holder, key = random.choice(places)
        match random.randrange(6):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case 2 if isinstance(holder, dict):
                holder[str(random.choice(VALUES))] = holder.pop(key)
            case 3:
                other, place = random.choice(places)
                if place in other if isinstance(other, dict) else place < len(other):
                    holder[key] = copy.deepcopy(other[place])
            case _:
                holder[key] = copy.deepcopy(random.choice(VALUES))
        if not changed:
            break
    return changed


def _holders(value: Any) -> Any:
    """Every section and list with every key in it."""
    inside = list(enumerate(value)) if isinstance(value, list) else list(value.items())
    for key, item in inside:
        yield value, key
        if isinstance(item, list | dict):
            yield from _holders(item)


ROWS: dict[str, list[str]] = {
    ".json": [
        json.dumps([{"instruction": "a", "input": "", "output": "b"}] * 3),
        json.dumps([{"instruction": "你好", "output": "b\n", "history": [["a", "b"]]}]),
    ],
    ".jsonl": [
        '{"instruction": "a", "output": "b"}\n{"instruction": "c", "output": "d"}\n',
        '{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}\n',
        '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n',
    ],
    ".csv": ['instruction,output\na,b\n"c, d","e\nf"\n', "instruction,output,good\na,b,True\n"],
    ".txt": ["One line.\n\nAnother.\n"],
}
"""Data files that are right, by suffix."""

DATA_PIECES = [
    *("", "[", "]", "{", "}", ",", ":", '"', "\\", "\\u", "\\ud800", "\\u0000", "null", "true"),
    *("NaN", "-Infinity", "1e999", "9" * 5000, "[" * 3000, '{"a":' * 2000, "\0", "\r", "\n", "\t"),
    *('""', '"a"', '"instruction"', '"output": 3', '"output": [],', "\ufeff", "\u2028", "é", "😀"),
]


def changed_rows(random: Random) -> tuple[str, bytes]:
    """A data file's suffix, and its content."""
    suffix = random.choice(list(ROWS))
    text = random.choice(ROWS[suffix])
    for _ in range(random.choice([0, 1, 1, 2, 4])):
        start = random.randint(0, len(text))
        end = min(len(text), start + random.choice([0, 0, 1, 2, 12]))
        text = text[:start] + random.choice(DATA_PIECES) + text[end:]
    match random.randrange(20):
        case 0:
            suffix = random.choice([*ROWS, ".parquet", ".arrow", ".JSON", ""])
        case 1:
            return suffix, random.randbytes(random.randint(0, 200))
    return suffix, _encoded(text or "x", random)
