"""The shape of a model, as its own configuration tells it: what its memory follows from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BYTES_OF = {"float32": 4, "float": 4, "bfloat16": 2, "float16": 2, "half": 2}


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """A decoder of attention and gated feed-forward layers; all sizes are counts of numbers."""

    model_type: str
    """As `config.json` names the architecture, such as `llama`."""
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    intermediate: int
    """Width inside a layer, of one expert where there are several."""
    vocabulary: int
    is_tied: bool = False
    """Whether the embedding is the output layer too."""
    experts: int = 1
    active_experts: int = 1
    """Experts that one token passes through."""
    weight_bytes: int = 2
    """Of one weight in the model's files."""
    bits: int | None = None
    """Of the linear layers' weights, where they come quantized."""


def read_model_shape(config: Any) -> ModelShape | None:
    """The shape in a `config.json`; None where it is told in words that are not known here.

    Of a model that sees or hears too, the shape of the part that reads text.
    """
    if not isinstance(config, Mapping):
        return None
    told = {**config, **_mapping(config.get("text_config"))}
    try:
        heads, hidden = int(told["num_attention_heads"]), int(told["hidden_size"])
        experts = _first(told, "num_local_experts", "num_experts", "n_routed_experts") or 1
        alone = (_first(told, "moe_intermediate_size") or 0) if experts > 1 else 0
        dtype = str(told.get("dtype") or told.get("torch_dtype") or "bfloat16")
        return ModelShape(
            model_type=str(told.get("model_type", "")),
            layers=int(told["num_hidden_layers"]),
            hidden=hidden,
            heads=heads,
            kv_heads=_first(told, "num_key_value_heads") or heads,
            head_size=_first(told, "head_dim") or hidden // heads,
            intermediate=alone or int(told["intermediate_size"]),
            vocabulary=int(told["vocab_size"]),
            is_tied=bool(told.get("tie_word_embeddings", told.get("model_type") in TIED)),
            experts=experts,
            active_experts=(_first(told, "num_experts_per_tok") or 1) if experts > 1 else 1,
            weight_bytes=BYTES_OF.get(dtype.removeprefix("torch."), 2),
            bits=_bits(_mapping(told.get("quantization_config"))),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


TIED = ("gemma", "gemma2", "gemma3", "gemma3_text")
"""Architectures whose files need not say that embedding and output layer are one."""


def _bits(quantization: Mapping[str, Any]) -> int | None:
    if quantization.get("load_in_4bit"):
        return 4
    return 8 if quantization.get("load_in_8bit") else _first(quantization, "bits", "w_bit")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _first(told: Mapping[str, Any], *names: str) -> int | None:
    """The first of these that is there."""
    return next((int(told[name]) for name in names if told.get(name) is not None), None)
