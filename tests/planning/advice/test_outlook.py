"""What preview tells before anything runs (T5)."""

from collections.abc import Callable
from typing import Any

from plan.host import Gpu, HostFacts, Tokens
from plan.pipeline import PipelinePlan
from planning.advice.outlook import outlook
from stack_configs.settings.root import Settings


def on_a_gpu_host(document: dict[str, Any]) -> None:
    document["host"] = {"hardware": "cuda"}
    document["models"][0]["base_model"] = {"hub": "meta-llama/Meta-Llama-3-8B-Instruct"}


def test_the_memory_of_every_run_part_by_part(
    settings_with: Callable[..., Settings], plan_with: Callable[..., PipelinePlan]
) -> None:
    facts = HostFacts(gpus=(Gpu(memory_gb=24.0),))
    plan = plan_with(on_a_gpu_host, facts=facts)
    told = list(outlook(settings_with(on_a_gpu_host), plan, facts, Tokens()))
    assert (
        "guide, sft: needs about 20.9 GB (16.1 weights, 0.1 gradients, 0.2 optimizer, 3.7 "
        "activations, 0.8 overhead) on each GPU"
    ) in told


def test_a_processor_has_no_such_memory(
    settings_with: Callable[..., Settings], plan_with: Callable[..., PipelinePlan]
) -> None:
    told = outlook(settings_with(), plan_with(), HostFacts(), Tokens())
    assert not [line for line in told if "on each GPU" in line]
