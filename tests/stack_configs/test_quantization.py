"""Types of weights: as operators spell them, and what is refused before anything runs (E3)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plan.problem import Problem
from stack_configs.settings.loader import parse_settings
from stack_configs.settings.quantization import (
    BITS_PER_WEIGHT,
    NAMES,
    NEEDS_IMPORTANCE_MATRIX,
    NOT_IN_OLLAMA,
    READS_NO_IMPORTANCE_MATRIX,
)

Find = Callable[[Any], list[Problem]]
Document = dict[str, Any]


def converted(document: Document, **conversion: Any) -> Document:
    document["models"][0]["gguf_conversion"] = conversion
    return document


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("q4_k_m", "q4_k_m"),
        ("Q4_K_M", "q4_k_m"),
        ("q4_K_M", "q4_k_m"),
        ("Q4_K", "q4_k_m"),
        ("q5_K", "q5_k_m"),
        ("q3_k", "q3_k_m"),
        ("IQ4_XS", "iq4_xs"),
        ("BF16", "bf16"),
        ("F32", "f32"),
    ],
)
def test_a_type_is_known_as_ollama_and_llama_cpp_spell_it(
    document: Document, directory: Path, written: str, meant: str
) -> None:
    converted(document, quantization=written)
    settings = parse_settings(document, directory=directory, source="test.yaml")
    assert settings.models[0].gguf_conversion.quantization == meant


@pytest.mark.parametrize(
    ("written", "way_out"),
    [
        ("q4_k_x", "Did you mean q4_k_s"),
        ("Q4KM", "Did you mean q4_k_m"),
        ("IQ3-XXS", "Did you mean iq3_xxs"),
        ("int4", "Use one of: f32, f16,"),
    ],
)
def test_another_name_is_answered_with_the_nearest(
    document: Document, problems_of: Find, written: str, way_out: str
) -> None:
    (problem,) = problems_of(converted(document, quantization=written))
    assert problem.key == "models[0].gguf_conversion.quantization"
    assert problem.value == repr(written)
    assert problem.rule == "llama.cpp's quantizer makes no such type"
    assert problem.way_out.startswith(way_out)


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_made_or_served_is_refused(
    document: Document, problems_of: Find, name: str
) -> None:
    plain = problems_of(converted(document, quantization=name))
    weighed = problems_of(converted(document, quantization=name, importance_matrix=True))
    if name in NOT_IN_OLLAMA:
        assert "Ollama cannot load" in plain[0].rule
        assert "Ollama cannot load" in weighed[0].rule
        return
    assert [problem.rule for problem in plain] == (
        [f"the quantizer makes {name} with an importance matrix only"]
        if name in NEEDS_IMPORTANCE_MATRIX
        else []
    )
    assert [problem.rule for problem in weighed] == (
        [f"importance_matrix has no effect on quantization {name}"]
        if name in READS_NO_IMPORTANCE_MATRIX
        else []
    )


def test_every_type_has_its_size() -> None:
    assert BITS_PER_WEIGHT.keys() == set(NAMES)
    assert not NEEDS_IMPORTANCE_MATRIX & READS_NO_IMPORTANCE_MATRIX
