"""A model's size: from its configuration where that is known, else from its name (T5)."""

import pytest

from benchmarks.gpu_memory.cases import MODELS
from plan.host import HostFacts, HubModelFacts, ModelFolderFacts
from plan.model_shape import read_model_shape
from planning.memory.model_size import (
    billions_of,
    parameters_b,
    shape_of,
    shape_of_size,
    weights_of,
)
from stack_configs.settings.base_model import BaseModelSettings, GeneratedModelSettings

MIXTURES = {
    "mixtral-8x7b": {
        "model_type": "mixtral",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 32000,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
        "tie_word_embeddings": False,
    },
    "qwen3-30b-a3b": {
        "model_type": "qwen3_moe",
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "moe_intermediate_size": 768,
        "num_hidden_layers": 48,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "vocab_size": 151936,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "tie_word_embeddings": False,
    },
}


@pytest.mark.parametrize(
    ("model", "weights"),
    [
        # As the models' cards and safetensors files count them.
        ("llama-3-8b", 8_030_261_248),
        ("llama-2-7b", 6_738_415_616),
        ("llama-2-70b", 68_976_648_192),
        ("mistral-7b", 7_248_023_552),
        ("gemma-7b", 8_537_680_896),
        ("phi-3-mini", 3_821_079_552),
        ("qwen2.5-7b", 7_615_616_512),
        ("qwen2.5-14b", 14_770_033_664),
        ("mixtral-8x7b", 46_702_792_704),
        ("qwen3-30b-a3b", 30_532_122_624),
    ],
)
def test_a_configuration_says_how_many_weights_there_are(model: str, weights: int) -> None:
    shape = read_model_shape({**MODELS, **MIXTURES}[model])
    assert shape is not None
    # Without biases and routers.
    assert weights_of(shape) == pytest.approx(weights, rel=0.001)


@pytest.mark.parametrize(
    ("hub", "billions"),
    [
        ("meta-llama/Meta-Llama-3-8B-Instruct", 8),
        ("Qwen/Qwen2.5-7B-Instruct", 7),
        ("Qwen/Qwen2.5-0.5B", 0.5),
        ("google/gemma-2-2b-it", 2),
        ("Qwen/Qwen3-30B-A3B", 30),
        ("mistralai/Mixtral-8x7B-v0.1", 56),
        ("microsoft/Phi-3-mini-4k-instruct", None),
        ("acme/model-4bit", None),
    ],
)
def test_a_models_name_says_its_size(hub: str, billions: float | None) -> None:
    assert parameters_b(BaseModelSettings(hub=hub)) == billions


def test_a_size_that_is_set_counts() -> None:
    settings = BaseModelSettings(hub="a/b-70B", parameters_b=1.5)
    assert parameters_b(settings) == 1.5
    assert billions_of(settings, HostFacts()) == 1.5


@pytest.mark.parametrize("billions", [0.5, 1, 3, 4, 7, 8, 14, 32, 70, 405])
def test_a_size_alone_makes_a_shape(billions: float) -> None:
    assert weights_of(shape_of_size(billions)) / 1e9 == pytest.approx(billions, rel=0.05)


KNOWN = read_model_shape(MODELS["qwen2.5-7b"])


@pytest.mark.parametrize(
    ("settings", "facts"),
    [
        (
            BaseModelSettings(hub="acme/guide-3B"),
            HostFacts(hub_models={"acme/guide-3B@main": HubModelFacts(shape=KNOWN)}),
        ),
        (
            BaseModelSettings(path="/models/guide-3B"),
            HostFacts(
                model_folders={"/models/guide-3B": ModelFolderFacts(digest="d", shape=KNOWN)}
            ),
        ),
    ],
)
def test_what_the_look_found_counts_more_than_a_name(
    settings: BaseModelSettings, facts: HostFacts
) -> None:
    assert shape_of(settings, facts) == KNOWN
    assert shape_of(settings, HostFacts()) == shape_of_size(3)
    set_by_hand = settings.model_copy(update={"parameters_b": 70})
    assert shape_of(set_by_hand, facts) == shape_of_size(70)


def test_a_generated_model_is_known_by_its_settings() -> None:
    shape = shape_of(BaseModelSettings(generate=GeneratedModelSettings()), HostFacts())
    assert shape is not None
    # Two layers of 4 * 256 * 256 and 3 * 256 * 512 weights, their norms, and 400 tokens twice.
    assert weights_of(shape) == 2 * (4 * 256**2 + 3 * 256 * 512 + 512) + 2 * 400 * 256 + 256
    assert shape.weight_bytes == 4


def test_a_familys_model_has_its_vocabulary() -> None:
    generated = GeneratedModelSettings(family="qwen-3", hidden_size=64, intermediate_size=128)
    shape = shape_of(BaseModelSettings(generate=generated), HostFacts())
    assert shape is not None
    assert (shape.vocabulary, shape.kv_heads, shape.head_size) == (151936, 2, 32)


def test_nothing_is_known_of_a_name_without_a_number() -> None:
    assert shape_of(BaseModelSettings(hub="acme/guide"), HostFacts()) is None
    assert billions_of(BaseModelSettings(hub="acme/guide"), HostFacts()) is None
