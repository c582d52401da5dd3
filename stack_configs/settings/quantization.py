"""Types of a GGUF file's weights: all that llama.cpp's quantizer makes, and what Ollama runs (E3).

Of the llama.cpp that the converter image holds: `tools/quantize/quantize.cpp` names them,
`src/llama-quant.cpp` says which need an importance matrix, `ggml/src/ggml-quants.c` which read one.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, get_args

from pydantic import BeforeValidator, WithJsonSchema

from stack_configs.settings.rule import rule_error
from stack_configs.settings.way_out import did_you_mean

QuantizationName = Literal[
    "f32",
    "f16",
    "bf16",
    "q8_0",
    "q6_k",
    "q5_k_m",
    "q5_k_s",
    "q5_1",
    "q5_0",
    "q4_k_m",
    "q4_k_s",
    "q4_1",
    "q4_0",
    "q3_k_l",
    "q3_k_m",
    "q3_k_s",
    "q2_k",
    "q2_k_s",
    "iq4_nl",
    "iq4_xs",
    "iq3_m",
    "iq3_s",
    "iq3_xs",
    "iq3_xxs",
    "iq2_m",
    "iq2_s",
    "iq2_xs",
    "iq2_xxs",
    "iq1_m",
    "iq1_s",
    "mxfp4_moe",
    "tq2_0",
    "tq1_0",
    "q2_0",
    "q1_0",
]

ALIASES: Mapping[str, QuantizationName] = {"q3_k": "q3_k_m", "q4_k": "q4_k_m", "q5_k": "q5_k_m"}
"""llama.cpp's own."""

NAMES: Final[tuple[QuantizationName, ...]] = get_args(QuantizationName)

NEEDS_IMPORTANCE_MATRIX: Final = frozenset(
    {"iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq2_m", "iq3_xxs", "iq3_xs", "q2_k_s"}
)
"""The quantizer stops without one; in `iq3_xs`, at the layers that it makes in iq3_xxs."""

READS_NO_IMPORTANCE_MATRIX: Final = frozenset(
    {"f32", "f16", "bf16", "q8_0", "mxfp4_moe", "tq1_0", "tq2_0", "q1_0", "q2_0"}
)
"""The quantizer takes one and does not look at it."""

NOT_IN_OLLAMA: Mapping[str, str] = {
    "q1_0": "the ggml in Ollama has no such type",
    "q2_0": "the ggml in Ollama has no such type",
}
"""What Ollama 0.17.4 cannot load, and why."""

BITS_PER_WEIGHT: Mapping[QuantizationName, float] = {
    "f32": 32.0,
    "f16": 16.0,
    "bf16": 16.0,
    "q8_0": 8.50,
    "q6_k": 6.56,
    "q5_k_m": 5.70,
    "q5_k_s": 5.57,
    "q5_1": 6.04,
    "q5_0": 5.57,
    "q4_k_m": 4.89,
    "q4_k_s": 4.67,
    "q4_1": 5.11,
    "q4_0": 4.64,
    "q3_k_l": 4.30,
    "q3_k_m": 4.00,
    "q3_k_s": 3.64,
    "q2_k": 3.16,
    "q2_k_s": 2.97,
    "iq4_nl": 4.68,
    "iq4_xs": 4.46,
    "iq3_m": 3.76,
    "iq3_s": 3.66,
    "iq3_xs": 3.50,
    "iq3_xxs": 3.25,
    "iq2_m": 2.93,
    "iq2_s": 2.74,
    "iq2_xs": 2.59,
    "iq2_xxs": 2.38,
    "iq1_m": 2.15,
    "iq1_s": 2.00,
    # Its experts have 4.25, everything else 8.5.
    "mxfp4_moe": 4.5,
    "tq2_0": 2.4,
    "tq1_0": 2.1,
    "q2_0": 2.6,
    "q1_0": 1.6,
}
"""Of a whole file, embeddings and all: llama.cpp's figures for Llama 3 8B (its tools/quantize)."""


def _as_declared_here(value: object) -> object:
    """Ollama writes `q4_K_M`, llama.cpp `Q4_K_M`, its documents `q4_k_m`: all of them are meant."""
    if not isinstance(value, str):
        return value
    name = value.lower()
    if (known := ALIASES.get(name, name)) in NAMES:
        return known
    raise rule_error(
        "llama.cpp's quantizer makes no such type",
        did_you_mean(name, NAMES),
        value=repr(value),
    )


def _spellings() -> list[str]:
    """Every name as llama.cpp's documents, Ollama and llama.cpp spell it."""
    names = (*NAMES, *ALIASES)
    as_ollama = (name.replace("_k", "_K").replace("_m", "_M").replace("_s", "_S") for name in names)
    return list(dict.fromkeys([*names, *as_ollama, *(name.upper() for name in names)]))


Quantization = Annotated[
    QuantizationName,
    BeforeValidator(_as_declared_here),
    WithJsonSchema({"type": "string", "enum": _spellings()}),
]
