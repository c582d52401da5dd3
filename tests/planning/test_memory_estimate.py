"""GPU memory: LLaMA-Factory's own table, before an hour of a GPU is paid for (H1, T5)."""

from collections.abc import Callable
from typing import Any

import pytest

from plan.problem import SettingsError
from planning.memory_estimate import estimate_gpu_memory_gb, parameters_b
from planning.pipeline import PipelinePlan
from stack_configs.settings.models import BaseModelSettings
from stack_configs.settings.training_runs import TrainingRunSettings


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
        ({"finetuning_type": "freeze"}, 7, 16),
        ({}, 7, 16),
        ({"quantization_bit": 8}, 7, 10),
        ({"quantization_bit": 4}, 7, 6),
        ({"finetuning_type": "full"}, 70, 1200),
        ({}, 70, 160),
    ],
)
def test_llama_factorys_table(settings: dict[str, Any], billions: float, needed: float) -> None:
    run = TrainingRunSettings(datasets=("a",), **settings)
    assert estimate_gpu_memory_gb(run, billions=billions, devices=1) == pytest.approx(needed)


@pytest.mark.parametrize(("stage", "share"), [("zero3", 30), ("zero2", 120), (None, 120)])
def test_zero_3_alone_shares_the_weights(stage: Any, share: float) -> None:
    run = TrainingRunSettings(datasets=("a",), finetuning_type="full", deepspeed=stage)
    assert estimate_gpu_memory_gb(run, billions=7, devices=4) == pytest.approx(share)


class TestPlan:
    def change(self, gpu: dict[str, Any], hardware: str = "cuda", **run: Any) -> Any:
        def apply(document: dict[str, Any]) -> None:
            document["host"] = {"hardware": hardware, "gpu": gpu}
            model = document["models"][0]
            model["base_model"] = {"hub": "meta-llama/Meta-Llama-3-8B-Instruct"}
            model["training_runs"] = [{"datasets": ["alpaca"], **run}]

        return apply

    def test_a_run_that_cannot_fit_is_refused_before_anything_is_made(
        self, plan_with: Callable[..., PipelinePlan]
    ) -> None:
        with pytest.raises(SettingsError) as caught:
            plan_with(self.change({"memory_gb": 8}))
        (problem,) = caught.value.problems
        assert problem.key == "models[0].training_runs[0]"
        assert problem.value == "lora tuning of 8B weights"
        assert "about 18 GB" in problem.rule
        assert "host.gpu.memory_gb is 8" in problem.rule
        assert "quantization_bit: 4" in problem.way_out

    @pytest.mark.parametrize(
        ("gpu", "run"),
        [
            ({"memory_gb": 24}, {}),
            ({"memory_gb": 8}, {"quantization_bit": 4}),
            (
                {"memory_gb": 80, "count": 2},
                {"finetuning_type": "full", "deepspeed": "zero3"},
            ),
        ],
    )
    def test_the_ways_out_lead_out(
        self, plan_with: Callable[..., PipelinePlan], gpu: dict[str, Any], run: dict[str, Any]
    ) -> None:
        assert plan_with(self.change(gpu, **run)).models

    def test_a_cpu_host_has_no_gpu_memory_to_run_out_of(
        self, plan_with: Callable[..., PipelinePlan]
    ) -> None:
        assert plan_with(self.change({"memory_gb": 1}, hardware="cpu")).models
