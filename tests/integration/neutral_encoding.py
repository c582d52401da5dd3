"""What LLaMA-Factory's own templates make of conversations, as text; runs inside its image.

Usage: neutral_encoding.py CASES_JSON

`chat_encoding.py` lies beside it. The tokenizer has a token for each letter, and names its own
tokens in a way that no template does: what the ids stand for is the text to the letter. Its last
line is a JSON object: for each case the text of each shape.
"""

import copy
import json
import sys
from pathlib import Path
from typing import Any

from chat_encoding import encode  # type: ignore[import-not-found]
from llamafactory.data.template import TEMPLATES  # type: ignore[import-not-found]

BEYOND_LETTERS = 0x110000


class LetterTokenizer:
    """One token for each letter, and one for each special token."""

    def __init__(self, begin: str, end: str) -> None:
        self.words = [begin, end]
        self.bos_token_id, self.eos_token_id = BEYOND_LETTERS, BEYOND_LETTERS + 1

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [ord(letter) for letter in text]

    def convert_tokens_to_ids(self, token: str) -> int:
        if token not in self.words:
            self.words.append(token)
        return BEYOND_LETTERS + self.words.index(token)

    def text(self, ids: list[int]) -> str:
        return "".join(
            chr(token) if token < BEYOND_LETTERS else self.words[token - BEYOND_LETTERS]
            for token in ids
        )


def texts(case: dict[str, Any]) -> dict[str, str]:
    template = copy.copy(TEMPLATES[case["template"]])
    template.enable_thinking = case["enable_thinking"]
    template.preserve_thinking = case["preserve_thinking"]
    tokenizer = LetterTokenizer(case["begin"], case["end"])
    return {
        shape["name"]: tokenizer.text(
            encode(
                template,
                tokenizer,
                shape,
                one_turn=case["one_turn"],
                discards_history=case["discards_history"],
            )
        )
        for shape in case["shapes"]
    }


if __name__ == "__main__":
    cases = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(json.dumps({case["key"]: texts(case) for case in cases}))
