"""Writes a vocabulary as sentencepiece's own file, `tokenizer.model`.

llama.cpp's converter reads a sentencepiece vocabulary from that file alone: without it, it takes
all pieces for equally likely, and the served model reads other tokens than it was trained on.
"""

# ruff: noqa: PLC0415 - sentencepiece is in the image only

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
"""Types of pieces; a GGUF file numbers them alike."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One entry of the vocabulary."""

    text: str
    score: float
    """Pieces of a higher score are put together first."""
    type: int


def kind_of(text: str, unknown: str, special: Container[str]) -> int:
    """The type of a piece, where no file says it."""
    if text == unknown:
        return UNKNOWN
    if text in special:
        return CONTROL
    return BYTE if re.fullmatch(r"<0x[0-9A-F]{2}>", text) else NORMAL


def scores_of_merges(tokens: Sequence[str], merges: Iterable[Sequence[str]]) -> Mapping[int, float]:
    """The scores that put pieces together in the order of the merges; by number of the token."""
    first: dict[str, int] = {}
    for merge in merges:
        first.setdefault("".join(merge), len(first))
    return {
        number: -float(first.get(token, len(first) + number)) for number, token in enumerate(tokens)
    }


def merges_of_scores(tokens: Sequence[str], scores: Sequence[float]) -> list[tuple[str, str]]:
    """The pairs that sentencepiece would put together, in its order."""
    number = {token: index for index, token in enumerate(tokens)}
    pairs = [
        (-scores[index], number[token[:at]], number[token[at:]])
        for token, index in number.items()
        for at in range(1, len(token))
        if token[:at] in number and token[at:] in number
    ]
    return [(tokens[left], tokens[right]) for _, left, right in sorted(pairs)]


def sentencepiece_model(pieces: Sequence[Piece], *, prepends_space: bool) -> bytes:
    """The file's content. `prepends_space`: before every text."""
    from sentencepiece import sentencepiece_model_pb2 as proto  # type: ignore[import-not-found]

    model = proto.ModelProto()
    for piece in pieces:
        model.pieces.add(piece=piece.text, score=piece.score, type=piece.type)
    model.trainer_spec.model_type = proto.TrainerSpec.BPE
    model.trainer_spec.vocab_size = len(pieces)
    model.trainer_spec.byte_fallback = any(piece.type == BYTE for piece in pieces)
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = prepends_space
    model.normalizer_spec.remove_extra_whitespaces = False
    return bytes(model.SerializeToString(deterministic=True))
