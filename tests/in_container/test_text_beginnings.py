"""Where a tokenizer puts a space, and a vocabulary written as sentencepiece's own file (E4, E3)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.images.conftest import load_program

PROGRAMS = Path(__file__).parents[2] / "in_container"
text_beginnings = load_program(PROGRAMS / "text_beginnings.py")
sentencepiece_file = load_program(PROGRAMS / "sentencepiece_file.py")

PIECES = {
    "question": {"begins": "[INST] ", "ends": "", "space": " "},
    "answer": {"begins": "a", "ends": " [/INST]", "space": "{{ if .Content }} {{ end }}"},
    "spaced": {"begins": " ", "ends": "[/INST]", "space": " "},
}


class Tokenizer:
    """Puts a space nowhere, before a text (`first`), or after each special token too (`always`)."""

    eos_token = "</s>"
    all_special_ids = (0,)

    def __init__(self, puts: str) -> None:
        self.puts = puts
        self.pieces = ["</s>"]

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        before, end, after = text.rpartition("</s>")
        assert not before
        added = self.puts == "always" or (self.puts == "first" and not end)
        piece = after.replace(" ", "\u2581")
        if piece and added and not piece.startswith("\u2581"):
            piece = "\u2581" + piece
        self.pieces.append(piece)
        return ([0] if end else []) + ([len(self.pieces) - 1] if piece else [])

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        return [self.pieces[number] for number in ids]


@pytest.mark.parametrize(
    ("puts", "after_tokens", "expected"),
    [
        ("never", False, {"question": "", "answer": "", "spaced": ""}),
        # llama.cpp is told to put none: the template has them all.
        ("first", False, {"question": " ", "answer": PIECES["answer"]["space"], "spaced": ""}),
        # llama.cpp puts those after tokens: the template has the others.
        ("always", True, {"question": "", "answer": PIECES["answer"]["space"], "spaced": ""}),
    ],
)
def test_who_writes_the_space(puts: str, after_tokens: bool, expected: dict[str, str]) -> None:
    tokenizer: Any = Tokenizer(puts)
    assert text_beginnings.puts_space_after_tokens(tokenizer) is after_tokens
    assert text_beginnings.spaces(tokenizer, PIECES) == expected


def test_merges_and_scores_say_the_same() -> None:
    tokens = ["<unk>", "a", "b", "ab", "aba", "ba"]
    merges = [("a", "b"), ("b", "a"), ("a", "ba"), ("ab", "a")]
    scores = sentencepiece_file.scores_of_merges(tokens, merges)
    assert [scores[tokens.index(token)] for token in ("ab", "ba", "aba")] == [0.0, -1.0, -2.0]
    assert min(scores[tokens.index(token)] for token in ("ab", "ba", "aba")) > scores[1]
    found = sentencepiece_file.merges_of_scores(tokens, [scores[n] for n in range(len(tokens))])
    assert found == merges
