"""The chat templates of the pinned LLaMA-Factory release, as the release itself has them.

The table is made by `in_container/template_table.py` inside the release's image; a test makes it
again and compares. What a template becomes in Ollama is for `planning/` to say.
"""

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from stack_configs.settings.rule import rule_error

TABLE = Path(__file__).with_name("llamafactory_templates.json")

BEGIN, END = "bos_token", "eos_token"
"""The tokenizer's own tokens, as slots name them. LLaMA-Factory writes nothing for another name."""

_TABLE = json.loads(TABLE.read_text(encoding="utf-8"))

TOOL_FORMATS: Mapping[str, str | None] = _TABLE["tool_formats"]
"""The release's text around a list of tools, by format; None where a format has none."""

READS_JSON = "Ollama reads a call as the name of a tool and an object of JSON"
TOOLS_REFUSED: Mapping[str, str] = {
    "gemma4": f"{READS_JSON}, and this format has an own notation",
    "glm4": f"{READS_JSON} after a sign of its own, and this format has no such sign",
    "glm4_moe": f"{READS_JSON}, and this format has tags",
    "lfm2": f"{READS_JSON}, and this format has calls of Python",
    "minimax2": f"{READS_JSON}, and this format has tags",
    "qwen3_5": f"{READS_JSON}, and this format has tags",
    "seed_oss": f"{READS_JSON}, and this format has tags",
}
"""Tool formats that Ollama 0.17.4 could not read back, and why (its `tools/`)."""

CONTENT = "{{content}}"
"""Where a text goes in a slot; the first one counts."""


@dataclass(frozen=True)
class Token:
    """A slot that is one token of the vocabulary."""

    text: str


@dataclass(frozen=True)
class TokenizerToken:
    """A slot that is a token which the tokenizer names: `bos_token` or `eos_token`."""

    name: str


Slot = str | Token | TokenizerToken


@dataclass(frozen=True, kw_only=True)
class TrainingTemplate:
    """One template: how LLaMA-Factory writes a conversation."""

    name: str
    kind: str
    """Class in LLaMA-Factory: how the parts are put together."""
    prefix: tuple[Slot, ...]
    system: tuple[Slot, ...]
    user: tuple[Slot, ...]
    assistant: tuple[Slot, ...]
    observation: tuple[Slot, ...]
    """A tool's result."""
    function: tuple[Slot, ...]
    """A call of tools."""
    tools: tuple[Slot, ...]
    """Slots of the list of tools, where it has its own; else `tool_format` decides."""
    tool_format: str | None
    call_format: str | None
    default_system: str
    stop_words: tuple[str, ...]
    thought_words: tuple[str, str]
    efficient_eos: bool
    replace_eos: bool
    mm_plugin: str

    @property
    def tools_refused(self) -> str:
        """Why Ollama cannot serve its tool calls; empty where it can."""
        return TOOLS_REFUSED.get(self.call_format or "", "")

    @property
    def tools_around(self) -> tuple[str, str]:
        """What encloses the list of tools, where the template has slots for it."""
        before, _, after = str(self.tools[0]).partition(CONTENT)
        return before, after

    @property
    def tokens(self) -> tuple[str, ...]:
        """What LLaMA-Factory adds to a tokenizer that has it not, or looks up there."""
        slots = (*self.prefix, *self.system, *self.user, *self.assistant)
        looked_up = [slot.text for slot in slots if isinstance(slot, Token)]
        return tuple(dict.fromkeys((*self.stop_words, *looked_up)))

    @property
    def reads_media(self) -> bool:
        """Whether it is made for images, video or sound: training needs the model's processor."""
        return self.mm_plugin != "BasePlugin"

    @property
    def reasons(self) -> bool:
        """Whether it writes thoughts, empty ones too."""
        return self.kind.endswith("ReasoningTemplate")

    @property
    def system_opens_first_turn(self) -> bool:
        """Whether the system text stands inside the first question."""
        return self.kind == "Llama2Template"


def _slot(value: Any) -> Slot:
    if isinstance(value, str):
        return value
    return Token(value["token"]) if "token" in value else TokenizerToken(value["special"])


def _slots(formatter: Mapping[str, Any]) -> tuple[Slot, ...]:
    return tuple(_slot(value) for value in formatter["slots"])


def _template(name: str, row: Mapping[str, Any]) -> TrainingTemplate:
    first, last = row["thought_words"]
    return TrainingTemplate(
        name=name,
        kind=row["kind"],
        prefix=_slots(row["prefix"]),
        system=_slots(row["system"]),
        user=_slots(row["user"]),
        assistant=_slots(row["assistant"]),
        observation=_slots(row["observation"]),
        function=_slots(row["function"]),
        tools=_slots(row["tools"]),
        tool_format=row["tools"].get("tool_format"),
        call_format=row["function"].get("tool_format"),
        default_system=row["default_system"],
        stop_words=tuple(row["stop_words"]),
        thought_words=(first, last),
        efficient_eos=row["efficient_eos"],
        replace_eos=row["replace_eos"],
        mm_plugin=row["mm_plugin"],
    )


RELEASE: str = _TABLE["release"]
"""The LLaMA-Factory release that the table describes."""

TRAINING_TEMPLATES: Mapping[str, TrainingTemplate] = {
    name: _template(name, row) for name, row in _TABLE["templates"].items()
}


def nearest_template(given: str) -> str | None:
    """The template that a misspelt name means; None where that would be another format.

    Names that differ in a figure, in a word more or in a `no` more belong to templates that train
    different texts.
    """
    figures = re.findall(r"\d+", given)
    known = [
        name
        for name in TRAINING_TEMPLATES
        if re.findall(r"\d+", name) == figures
        and name.count("_") == given.count("_")
        and abs(len(name) - len(given)) <= 1
    ]
    return next(iter(difflib.get_close_matches(given.lower(), known, n=1, cutoff=0.8)), None)


def _require_known(name: str) -> str:
    if name in TRAINING_TEMPLATES:
        return name
    near = nearest_template(name)
    raise rule_error(
        f"it is no chat template of LLaMA-Factory {RELEASE}",
        f"did you mean {near}"
        if near
        else "take the base model's own from the table in docs/support_matrix.md; a similar name "
        "trains another format",
        value=repr(name),
    )


ChatTemplate = Annotated[
    str,
    AfterValidator(_require_known),
    WithJsonSchema({"type": "string", "enum": sorted(TRAINING_TEMPLATES)}),
]
"""The name of a template of the release."""
