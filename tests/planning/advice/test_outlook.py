"""What preview tells before anything runs (T5)."""

from collections.abc import Callable
from typing import Any

from plan.host import Gpu, HostFacts, Tokens
from plan.pipeline import PipelinePlan
from planning.advice.outlook import outlook
from planning.forecast.trainings import Trainings
from stack_configs.settings.root import Settings


def on_a_gpu_host(document: dict[str, Any]) -> None:
    document["host"] = {"hardware": "cuda"}
    document["models"][0]["base_model"] = {"hub": "meta-llama/Meta-Llama-3-8B-Instruct"}


def test_the_memory_of_every_run_part_by_part(
    settings_with: Callable[..., Settings], plan_with: Callable[..., PipelinePlan]
) -> None:
    facts = HostFacts(gpus=(Gpu(memory_gb=24.0),))
    plan = plan_with(on_a_gpu_host, facts=facts)
    settings = settings_with(on_a_gpu_host)
    trainings = Trainings(settings, plan, facts, Tokens())
    told = list(outlook(settings, plan, facts, Tokens(), trainings))
    assert (
        "guide, sft: needs about 20.9 GB (16.1 weights, 0.1 gradients, 0.2 optimizer, 3.7 "
        "activations, 0.8 overhead) on each GPU"
    ) in told
    assert "guide, sft: 3 steps of 8 rows, about 96 tokens" in told


def test_a_processor_has_no_such_memory(
    settings_with: Callable[..., Settings], plan_with: Callable[..., PipelinePlan]
) -> None:
    settings, plan, facts, tokens = settings_with(), plan_with(), HostFacts(), Tokens()
    told = outlook(settings, plan, facts, tokens, Trainings(settings, plan, facts, tokens))
    assert not [line for line in told if "on each GPU" in line]
