"""Runs that may not fit are foretold, with ways out that lead out; none is refused (T5, H1)."""

from collections.abc import Callable
from typing import Any

import pytest

from plan.host import Gpu, HostFacts, HubModelFacts
from plan.pipeline import PipelinePlan
from plan.problem import Problem
from planning.advice.advice import find_accelerator_advice
from planning.advice.gpu_memory import about_gpu_memory, estimates, falls_short
from planning.memory.model_size import shape_of_size
from stack_configs.settings.root import Settings

RUN = "models[0].training_runs[0]"
A100 = 42.9
H100 = 85.5
T4_BY_NVIDIA_SMI, T4_BY_TORCH = 16.1, 15.7


@pytest.fixture
def settings_of(settings_with: Callable[..., Settings]) -> Callable[..., Settings]:
    """Settings that fine-tune 8B weights, for a host and a run."""

    def make(host: dict[str, Any] | None = None, **run: Any) -> Settings:
        def change(document: dict[str, Any]) -> None:
            document["host"] = host or {}
            model = document["models"][0]
            model["base_model"] = {"hub": "meta-llama/Meta-Llama-3-8B-Instruct"}
            model["training_runs"] = [{"datasets": ["alpaca"], **run}]

        return settings_with(change)

    return make


SettingsOf = Callable[..., Settings]


def advice(settings: Settings, *found_gb: float) -> list[Problem]:
    return list(about_gpu_memory(settings, HostFacts(), found_gb or None))


def test_a_run_that_may_not_fit(settings_of: SettingsOf) -> None:
    (problem,) = advice(settings_of({"gpu": {"memory_gb": 10}}))
    assert str(problem) == (
        f"{RUN} is lora tuning of 8.03B weights: it needs about 20.9 GB (16.1 weights, 0.1 "
        "gradients, 0.2 optimizer, 3.7 activations, 0.8 overhead) on each GPU, and "
        "host.gpu.memory_gb is 10 GB. Set quantization_bit: 4 (QLoRA)."
    )


def test_what_changes_least_is_named_first(settings_of: SettingsOf) -> None:
    run = {"per_device_train_batch_size": 4, "gradient_checkpointing": False}
    (problem,) = advice(settings_of({"gpu": {"memory_gb": 40}}, **run))
    assert problem.way_out == (
        "Set gradient_checkpointing: true, or per_device_train_batch_size: 1, with more "
        "gradient_accumulation_steps"
    )
    (problem,) = advice(settings_of({"gpu": {"memory_gb": 40}}, cutoff_len=32768))
    assert problem.way_out == "Set cutoff_len: 2048, which cuts longer rows"


class TestEstimates:
    """What preview tells of every run."""

    def test_they_are_told_by_model_and_run(self, settings_of: SettingsOf) -> None:
        (told,) = estimates(settings_of(), HostFacts()).items()
        assert (told[0], round(told[1].total)) == ("guide, sft", 21)

    def test_the_hub_knows_better_than_the_name(self, settings_of: SettingsOf) -> None:
        shape = shape_of_size(3)
        models = {"meta-llama/Meta-Llama-3-8B-Instruct@main": HubModelFacts(shape=shape)}
        found = estimates(settings_of(), HostFacts(hub_models=models))
        assert round(found["guide, sft"].weights) == 6

    def test_the_gpus_that_were_found_share(self, settings_of: SettingsOf) -> None:
        settings = settings_of(finetuning_type="full", deepspeed="zero3")
        assert estimates(settings, HostFacts()) == {}
        two = estimates(settings, HostFacts(gpus=(Gpu(memory_gb=80),) * 2))
        four = estimates(settings, HostFacts(gpus=(Gpu(memory_gb=80),) * 4))
        assert four["guide, sft"].optimizer == two["guide, sft"].optimizer / 2

    def test_a_cpu_host_is_told_nothing(self, settings_of: SettingsOf) -> None:
        assert estimates(settings_of({"hardware": "cpu"}), HostFacts()) == {}


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


def test_the_readmes_shortest_file_has_a_plan(plan_with: Callable[..., PipelinePlan]) -> None:
    def change(document: dict[str, Any]) -> None:
        del document["host"]
        document["models"][0]["base_model"] = {"hub": "meta-llama/Meta-Llama-3-8B-Instruct"}

    assert plan_with(change).models


def test_nothing_is_said_where_nothing_is_known(settings_of: SettingsOf) -> None:
    assert advice(settings_of()) == []
    assert advice(settings_of(finetuning_type="full", deepspeed="zero3")) == []


def test_the_figure_of_the_look_counts_where_none_is_declared(settings_of: SettingsOf) -> None:
    (problem,) = advice(settings_of(), 12.9)
    assert "the smallest GPU has 12.9 GB" in problem.rule
    assert advice(settings_of(), 24.0) == []


@pytest.mark.parametrize("stage", ["zero2", "zero3"])
def test_full_tuning_fits_eight_large_gpus(settings_of: SettingsOf, stage: str) -> None:
    settings = settings_of({"gpu": {"count": "all"}}, finetuning_type="full", deepspeed=stage)
    assert advice(settings, *[H100] * 8) == []
    # One of them alone has nobody to share with.
    assert advice(settings, H100)


def test_declared_gpus_count_before_anybody_has_looked(settings_of: SettingsOf) -> None:
    gpu = {"count": 8, "memory_gb": 80}
    assert advice(settings_of({"gpu": gpu}, finetuning_type="full", deepspeed="zero2")) == []


def test_the_hosts_of_a_cluster_share_too(settings_of: SettingsOf) -> None:
    run = {"finetuning_type": "full", "deepspeed": "zero3"}
    host = {"gpu": {"count": 2, "memory_gb": 40}}
    assert advice(settings_of(host, **run))
    cluster = {"nodes": 4, "rank": 0, "master_address": "10.0.0.1"}
    assert advice(settings_of(host | {"cluster": cluster}, **run)) == []


def test_every_way_out_that_is_named_leads_out(settings_of: SettingsOf) -> None:
    (problem,) = advice(settings_of(finetuning_type="full"), *[H100] * 8)
    assert problem.way_out == (
        "Set deepspeed: zero2, or deepspeed: zero3, or finetuning_type: lora, or "
        "quantization_bit: 4 (QLoRA)"
    )
    for way in (
        {"finetuning_type": "full", "deepspeed": "zero2"},
        {"finetuning_type": "full", "deepspeed": "zero3"},
        {"finetuning_type": "lora"},
        {"quantization_bit": 4},
    ):
        assert advice(settings_of(**way), *[H100] * 8) == []


def test_a_way_out_that_the_hardware_has_not_is_not_named(settings_of: SettingsOf) -> None:
    npu = {"hardware": "npu", "gpu": {"count": 1, "memory_gb": 8}}
    (problem,) = advice(settings_of(npu))
    assert problem.way_out == "Take larger GPUs, or a smaller base model"


class TestOneRuler:
    @pytest.mark.parametrize("found", [T4_BY_NVIDIA_SMI, T4_BY_TORCH])
    def test_a_t4_has_16_gb_whoever_tells(self, settings_of: SettingsOf, found: float) -> None:
        settings = settings_of({"gpu": {"memory_gb": 16}}, quantization_bit=4)
        assert advice(settings, found) == []

    def test_a_smaller_gpu_than_declared_makes_the_estimates_wrong(
        self, settings_of: SettingsOf
    ) -> None:
        (problem,) = advice(settings_of({"gpu": {"memory_gb": 24}}), 25.8, 12.9)
        assert (problem.key, problem.value) == ("host.gpu.memory_gb", "24")
        assert "the smallest GPU has 12.9 GB" in problem.rule

    def test_gpus_that_are_not_used_do_not_count(self, settings_of: SettingsOf) -> None:
        host = {"gpu": {"memory_gb": 24, "count": 1}}
        assert advice(settings_of(host), 25.8, 12.9) == []


class TestSharing:
    """The served model keeps its memory: 8B weights of q4_k_m take about 5 GB."""

    def test_what_serves_beside_a_run_counts(self, settings_of: SettingsOf) -> None:
        gpu: dict[str, Any] = {"memory_gb": 24}
        assert advice(settings_of({"gpu": gpu}, deepspeed=None)) == []
        assert advice(settings_of({"gpu": gpu | {"while_training": "share"}})) == []
        gpu = {"memory_gb": 20, "while_training": "share"}
        (problem,) = advice(settings_of({"gpu": gpu}))
        assert "beside the 5 GB of what serves meanwhile" in problem.rule
        assert problem.way_out.startswith("Set host.gpu.while_training: free")
        assert advice(settings_of({"gpu": gpu | {"while_training": "free"}})) == []

    def test_so_does_the_api(
        self, settings_of: SettingsOf, settings_with: Callable[..., Settings]
    ) -> None:
        gpu = {"memory_gb": 24, "while_training": "share"}
        without = settings_of({"gpu": gpu})
        with_api = without.model_copy(
            update={"api": without.api.model_copy(update={"enabled": True})}
        )
        assert advice(without) == []
        (problem,) = advice(with_api)
        assert "beside the 21 GB" in problem.rule


class TestAcceleratorCheck:
    """What a container saw, where the look could not see the GPUs."""

    FOUND = ({"name": "Tesla T4", "memory_gb": T4_BY_TORCH},)

    def test_it_tells_before_the_training(self, settings_of: SettingsOf) -> None:
        (problem,) = find_accelerator_advice(settings_of(), HostFacts(), self.FOUND)
        assert "the smallest GPU has 15.7 GB" in problem.rule

    def test_nothing_is_told_twice(self, settings_of: SettingsOf) -> None:
        facts = HostFacts(gpus=(Gpu(memory_gb=T4_BY_NVIDIA_SMI),))
        assert find_accelerator_advice(settings_of(), facts, self.FOUND) == []

    def test_a_cpu_host_has_no_gpu_memory_to_run_out_of(self, settings_of: SettingsOf) -> None:
        assert find_accelerator_advice(settings_of({"hardware": "cpu"}), HostFacts(), ()) == []
