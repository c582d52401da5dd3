"""A model's own configuration tells its shape (T5)."""

from typing import Any

import pytest

from plan.model_shape import ModelShape, read_model_shape

LLAMA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}
SHAPE = ModelShape(
    model_type="llama",
    layers=32,
    hidden=4096,
    heads=32,
    kv_heads=8,
    head_size=128,
    intermediate=14336,
    vocabulary=128256,
)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, {}),
        ({"num_key_value_heads": None}, {"kv_heads": 32}),
        ({"head_dim": 256}, {"head_size": 256}),
        ({"dtype": "float32"}, {"weight_bytes": 4}),
        ({"torch_dtype": "torch.float16"}, {}),
        ({"tie_word_embeddings": True}, {"is_tied": True}),
        ({"num_local_experts": 8, "num_experts_per_tok": 2}, {"experts": 8, "active_experts": 2}),
        (
            {"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768},
            {"experts": 128, "active_experts": 8, "intermediate": 768},
        ),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, {"bits": 4}),
        ({"quantization_config": {"load_in_8bit": True}}, {"bits": 8}),
        ({"quantization_config": None}, {}),
    ],
)
def test_what_it_says(changes: dict[str, Any], found: dict[str, Any]) -> None:
    assert read_model_shape(LLAMA | changes) == ModelShape(**{**vars(SHAPE), **found})


def test_of_a_model_that_sees_too_the_part_that_reads() -> None:
    text = {key: value for key, value in LLAMA.items() if key != "model_type"}
    config = {"model_type": "llava", "text_config": {**text, "model_type": "llama"}}
    assert read_model_shape(config) == SHAPE


@pytest.mark.parametrize(
    "config",
    [
        None,
        [],
        {},
        {"model_type": "mamba", "hidden_size": 4096, "num_hidden_layers": 64},
        LLAMA | {"hidden_size": "many"},
        LLAMA | {"num_attention_heads": 0, "num_key_value_heads": 8},
    ],
)
def test_other_words_tell_nothing(config: Any) -> None:
    assert read_model_shape(config) is None
