"""GPU memory: LLaMA-Factory's own table, and what ZeRO shares of it (T5)."""

from typing import Any

import pytest

from planning.advice.memory_estimate import estimate_gpu_memory_gb, falls_short, parameters_b
from stack_configs.settings.models import BaseModelSettings
from stack_configs.settings.training_runs import TrainingRunSettings


def run(**settings: Any) -> TrainingRunSettings:
    return TrainingRunSettings(datasets=("a",), **settings)


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
    assert parameters_b(BaseModelSettings(hub="a/b-70B", parameters_b=1.5)) == 1.5


@pytest.mark.parametrize(
    ("settings", "billions", "needed"),
    [
        # "Hardware Requirement" of LLaMA-Factory's README, rows for 7B and 70B.
        ({"finetuning_type": "full"}, 7, 120),
        ({"finetuning_type": "full", "arguments": {"pure_bf16": True}}, 7, 60),
        ({"finetuning_type": "full", "arguments": {"use_galore": True}}, 7, 16),
        ({"finetuning_type": "full", "arguments": {"use_badam": False}}, 7, 120),
        ({"finetuning_type": "freeze"}, 7, 16),
        ({}, 7, 16),
        ({"quantization_bit": 8}, 7, 10),
        ({"quantization_bit": 4}, 7, 6),
        ({"finetuning_type": "full"}, 70, 1200),
        ({}, 70, 160),
    ],
)
def test_llama_factorys_table(settings: dict[str, Any], billions: float, needed: float) -> None:
    found = estimate_gpu_memory_gb(run(**settings), billions=billions, processes=1)
    assert found == pytest.approx(needed)


@pytest.mark.parametrize(
    ("finetuning_type", "stage", "needed"),
    [
        ("full", None, 120),
        # 14 GB of weights stay whole, 98 GB of gradients and optimizer are shared by four.
        ("full", "zero2", 120 - 98 + 98 / 4),
        ("full", "zero3", 120 - 112 + 112 / 4),
        # An adapter's optimizer is small: there is little to share but the weights.
        ("lora", "zero2", 16),
        ("lora", "zero3", 16 - 14 + 14 / 4),
    ],
)
def test_what_zero_shares_among_four(finetuning_type: Any, stage: Any, needed: float) -> None:
    settings = run(finetuning_type=finetuning_type, deepspeed=stage)
    found = estimate_gpu_memory_gb(settings, billions=7, processes=4)
    assert found == pytest.approx(needed)


def test_one_process_shares_with_nobody() -> None:
    settings = run(finetuning_type="full", deepspeed="zero3")
    assert estimate_gpu_memory_gb(settings, billions=7, processes=1) == pytest.approx(120)


def test_who_shares_must_be_known_only_where_something_is_shared() -> None:
    shared = run(deepspeed="zero3")
    assert estimate_gpu_memory_gb(shared, billions=7, processes=None) is None
    assert estimate_gpu_memory_gb(run(), billions=7, processes=None) == pytest.approx(16)


@pytest.mark.parametrize(
    ("sold", "nvidia_smi_mib", "torch_bytes"),
    [
        # Figures of the tools for one and the same card.
        (16, 15360, 15_655_829_504),  # T4
        (24, 24564, 25_386_352_640),  # RTX 4090
        (24, 23034, 23_609_475_072),  # L4, with error correction
        (40, 40960, 42_298_834_944),  # A100
        (80, 81559, 84_929_347_584),  # H100
    ],
)
def test_one_card_is_one_size_whoever_tells_of_it(
    sold: float, nvidia_smi_mib: int, torch_bytes: int
) -> None:
    for found in (nvidia_smi_mib * 1024**2 / 1e9, torch_bytes / 1e9):
        assert not falls_short(found, sold)
        assert falls_short(found, sold * 1.5)
