"""Spaces before the pieces that LLaMA-Factory encodes by themselves (E4).

Many tokenizers of sentencepiece put a space before a text. Ollama encodes a conversation at once,
so its template has the space where the training's pieces began. Whether a piece gets one is for
the tokenizer to say: `in_container/text_beginnings.py` asks it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from stack_configs.settings.chat_templates import CONTENT, Slot, Token, TrainingTemplate

UNLESS_THERE = '{{ if .Content }}{{ if ne (slice .Content 0 1) " " }} {{ end }}{{ end }}'
"""The space before an answer. A client that sends the answer back may have kept it."""


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """A piece that LLaMA-Factory encodes by itself: its tokenizer may put a space before it."""

    name: str
    """In the template."""
    begins: str
    """The first characters of the piece."""
    ends: str
    """The last ones of the piece before it; empty after a token and at the start."""
    space: str
    """What writes the space, in Go."""


def beginnings(template: TrainingTemplate) -> Iterator[Beginning]:
    """Every piece of a conversation that has a place for a space before it."""
    before = {"assistant": template.user, "function": template.user}
    for part in ("prefix", "system", "user", "assistant", "observation", "function"):
        slots: tuple[Slot, ...] = getattr(template, part)
        if part == "system" and template.system_opens_first_turn:
            continue  # within the first question
        previous: Slot = before.get(part, ("",))[-1]
        number = 0
        for slot in slots:
            if isinstance(slot, str):
                head = slot.partition(CONTENT)[0]
                yield Beginning(
                    name=beginning_name(part, number),
                    begins=head or "a",
                    ends=_end_of(previous),
                    space=UNLESS_THERE if part == "assistant" and not head else " ",
                )
                number += 1
            previous = slot


def beginning_name(part: str, number: int) -> str:
    """By the number of the piece in its part, counted without tokens."""
    return f"space_{part}_{number}"


def space(part: str, number: int) -> str:
    """What stands for the space until the step has read whether there is one, likewise."""
    return "{{ " + beginning_name(part, number) + " }}" if part else ""


def _end_of(slot: Slot) -> str:
    match slot:
        case str():
            return slot.rpartition("}}")[2] or "a" if slot else ""
        case Token(text):
            return text
    return ""
