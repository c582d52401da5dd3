"""Chat parity: that Ollama asks a model in the tokens that it was trained on (E4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """A conversation that Ollama must write as training did."""

    name: str
    body: Mapping[str, Any]
    """Of `/api/chat`, but for the model."""


@dataclass(frozen=True, kw_only=True)
class ChatParity:
    """The proof that a model is asked in the tokens that it was trained on."""

    encoding: str
    """File in the output volume: for each conversation the tokens of the training, and the
    tokenizer's own tokens, which the Modelfile names. `in_container/chat_encoding.py` writes it."""
    requests: tuple[ChatRequest, ...]
    is_required: bool
    """Whether a difference keeps the model from being served."""
