"""The special tokens that a generated model needs for its chat template (T7).

Each must be one token of its vocabulary: training would spell it out otherwise, or number it beyond
the embedding.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from planning.ollama_template import begins_with_token
from stack_configs.settings.chat_templates import (
    TRAINING_TEMPLATES,
    ChatTemplate,
    Token,
    TrainingTemplate,
)

MARKER = re.compile(
    r"<\|[^|<>\s]+\|>|<\uff5c[^\uff5c<>\s]+\uff5c>"
    r"|(?<!<)</?[A-Za-z][\w:-]*>(?!>)|\[/?[A-Za-z]+(?:_[A-Z]+)*\]"
)
"""How models name the tokens that open and close a turn."""


@dataclass(frozen=True, kw_only=True)
class SpecialTokens:
    """What a template writes beside text, one token each, and what the tokenizer needs besides."""

    begin: str = "<s>"
    end: str = "<|endoftext|>"
    pad: str = "<pad>"
    turns: tuple[str, ...] = ()
    """What opens and closes a turn."""
    writes_begin: bool = False
    """Whether a conversation begins with `begin`."""


NAMED = {
    "<|start_header_id|>": ("<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>"),
    "<start_of_turn>": ("<bos>", "<eos>", "<pad>"),
    "[INST]": ("<s>", "</s>", "<pad>"),
}
"""Begin, end and padding as models name them that have this token; else as `SpecialTokens` has."""

UNKNOWN = "<unk>"


def special_tokens(name: ChatTemplate) -> SpecialTokens:
    """The tokens of a template, named as the models that it was made for name them."""
    template = TRAINING_TEMPLATES[name]
    found = tuple(dict.fromkeys(_turns(template)))
    plain = SpecialTokens()
    named = next((names for token, names in NAMED.items() if token in found), None)
    begin, end, pad = named or (plain.begin, plain.end, plain.pad)
    return SpecialTokens(
        begin=begin,
        end=end,
        pad=pad,
        turns=tuple(token for token in found if token not in (begin, end, pad, UNKNOWN)),
        writes_begin=begins_with_token(template),
    )


def _turns(template: TrainingTemplate) -> Iterator[str]:
    for slot in (*template.prefix, *template.system, *template.user, *template.assistant):
        if isinstance(slot, Token):
            yield slot.text
        elif isinstance(slot, str):
            yield from MARKER.findall(slot)
    yield from template.stop_words
