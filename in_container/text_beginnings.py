"""Where a tokenizer puts a space before a text that has none, as many of sentencepiece do.

LLaMA-Factory encodes a conversation piece by piece, and each piece may get such a space. Ollama
encodes all of it at once. What is served must have the spaces where the training had them.
"""

from collections.abc import Mapping
from typing import Any

SPACE = "\u2581"
"""How sentencepiece writes a space."""


def _pieces(tokenizer: Any, text: str) -> list[str]:
    ids = tokenizer.encode(text, add_special_tokens=False)
    return [str(piece) for piece in tokenizer.convert_ids_to_tokens(ids)]


def puts_space(tokenizer: Any, text: str) -> bool:
    """Whether a piece of a conversation begins with a space that it does not have."""
    return not text.startswith(" ") and _pieces(tokenizer, text)[0].startswith(SPACE)


def puts_space_after_tokens(tokenizer: Any) -> bool:
    """Whether it does so within a piece too, after each special token: as llama.cpp does."""
    return _pieces(tokenizer, f"{tokenizer.eos_token}a")[-1].startswith(SPACE)


def spaces(tokenizer: Any, beginnings: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The space before each piece, by name; empty where there is none, or Ollama writes it itself.

    `beginnings` says what each `begins` with, with what text the piece before it `ends`, and how
    its `space` is written.
    """
    after_tokens = puts_space_after_tokens(tokenizer)
    special = set(tokenizer.all_special_ids)

    def is_written(begins: str, ends: str) -> bool:
        if not puts_space(tokenizer, begins):
            return False
        before = tokenizer.encode(ends, add_special_tokens=False)
        return not (after_tokens and (not before or before[-1] in special))

    return {
        name: each["space"] if is_written(each["begins"], each["ends"]) else ""
        for name, each in beginnings.items()
    }
