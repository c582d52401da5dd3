"""Writes down every chat template of the LLaMA-Factory release that is installed, as JSON.

Usage: template_table.py [NAME...]

What the release's own objects hold goes into the table, nothing is interpreted: the slots of each
formatter, the words that end an answer, how thoughts and tool calls are written. Runs inside the
LLaMA-Factory image; `stack_configs/settings/llamafactory_templates.json` keeps what it prints.
"""

# ruff: noqa: PLC0415 - llamafactory is in the image only, and takes seconds to import

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

PROMPTS = {
    "default": "DEFAULT_TOOL_PROMPT",
    "glm4": "GLM4_TOOL_PROMPT",
    "glm4_moe": "GLM4_MOE_TOOL_PROMPT",
    "lfm2": "LFM2_TOOL_PROMPT",
    "ling": "LING_TOOL_PROMPT",
    "llama3": "LLAMA3_TOOL_PROMPT",
    "minimax1": "MINIMAX_M1_TOOL_PROMPT",
    "minimax2": "MINIMAX_M2_TOOL_PROMPT",
    "qwen": "QWEN_TOOL_PROMPT",
    "qwen3_5": "QWEN35_TOOL_PROMPT",
    "seed_oss": "SEED_TOOL_PROMPT",
}
"""Names of the texts that the release puts around a list of tools; the others have none."""


def describe_slot(slot: Any) -> str | dict[str, str]:
    """A text, `{"token": ...}` for one token, or `{"special": ...}` for one of the tokenizer's."""
    match slot:
        case str():
            return slot
        case dict():
            return {"token": slot["token"]}
        case set():
            (name,) = slot
            return {"special": name}
    raise TypeError(f"a slot is {slot!r}")


def describe_formatter(formatter: Any) -> dict[str, Any]:
    """Kind and slots of a formatter, and its tool format where it has one."""
    described: dict[str, Any] = {
        "kind": type(formatter).__name__,
        "slots": [describe_slot(slot) for slot in formatter.slots],
    }
    if formatter.tool_format is not None:
        described["tool_format"] = formatter.tool_format
    return described


def describe_template(template: Any) -> dict[str, Any]:
    """Everything that decides what a conversation looks like."""
    formatters = ("prefix", "system", "user", "assistant", "observation", "function", "tools")
    return {
        "kind": type(template).__name__,
        **{name: describe_formatter(getattr(template, f"format_{name}")) for name in formatters},
        "default_system": template.default_system,
        "stop_words": list(template.stop_words),
        "thought_words": list(template.thought_words),
        "tool_call_words": list(template.tool_call_words),
        "efficient_eos": template.efficient_eos,
        "replace_eos": template.replace_eos,
        "mm_plugin": type(template.mm_plugin).__name__,
    }


def render_table(
    release: str, tool_formats: Mapping[str, str | None], templates: Mapping[str, Any]
) -> str:
    """The table as JSON, a template a line: so a change of one shows as such."""
    return (
        f'{{\n "release": {_json(release)},\n'
        f' "tool_formats": {{\n{_lines(tool_formats)}\n }},\n'
        f' "templates": {{\n{_lines(templates)}\n }}\n}}'
    )


def _lines(rows: Mapping[str, Any]) -> str:
    return ",\n".join(f"  {_json(name)}: {_json(row)}" for name, row in rows.items())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def main(names: Sequence[str]) -> None:
    """The command line."""
    from importlib.metadata import version

    from llamafactory.data import tool_utils  # type: ignore[import-not-found]
    from llamafactory.data.template import TEMPLATES  # type: ignore[import-not-found]

    described = {name: describe_template(TEMPLATES[name]) for name in sorted(names or TEMPLATES)}
    prompts = {name: getattr(tool_utils, constant) for name, constant in PROMPTS.items()}
    formats = {name: prompts.get(name) for name in sorted(tool_utils.TOOLS)}
    print(render_table(version("llamafactory"), formats, described))


if __name__ == "__main__":
    main(sys.argv[1:])
