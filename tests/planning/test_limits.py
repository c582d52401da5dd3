"""Limits and privileges of everything that a plan runs (R4)."""

from collections.abc import Callable
from typing import Any

from plan.container import GIB, NO_NETWORK, Container, Limits
from plan.pipeline import PipelinePlan

PlanWith = Callable[..., PipelinePlan]
WRITES_WHERE_IT_LIKES = {"training-run", "merge", "accelerator-check"}
"""LLaMA-Factory and what it trains with; thrown away with its container."""
FETCHES = {"base-model"}


def on_gpus(document: dict[str, Any]) -> None:
    """Every kind of step and service."""
    document["host"] = {"hardware": "cuda", "limits": {"memory_gb": 24, "processes": 512}}
    document["models"][0]["base_model"] = {"hub": "a/b-1B"}
    document["models"][0]["training_runs"] += [
        {"name": "all", "datasets": ["alpaca"], "finetuning_type": "full"}
    ]
    document["api"] = {"enabled": True, "model": "guide"}


def containers(plan: PipelinePlan) -> dict[str, Container]:
    """By noun of the step, or section of the service."""
    steps = {step.noun: step.container for step in plan.container_steps}
    return steps | {service.settings: service.container for service in plan.services}


def test_the_settings_limit_every_container(plan_with: PlanWith) -> None:
    found = containers(plan_with(on_gpus))
    assert len(found) >= 8
    expected = Limits(memory_bytes=24 * GIB, processes=512)
    assert {name: each.limits for name, each in found.items()} == dict.fromkeys(found, expected)


def test_memory_is_the_hosts_unless_asked(plan_with: PlanWith) -> None:
    for container in containers(plan_with()).values():
        assert container.limits.memory_bytes is None
        assert container.limits.processes


def test_what_has_no_need_of_its_root_cannot_write_to_it(plan_with: PlanWith) -> None:
    found = containers(plan_with(on_gpus)) | containers(plan_with())
    writable = {name for name, each in found.items() if not each.read_only_root}
    assert writable == WRITES_WHERE_IT_LIKES


def test_ascends_software_writes_where_it_likes(plan_with: PlanWith) -> None:
    plan = plan_with(lambda d: d.update(host={"hardware": "npu", "gpu": {"count": 1}}))
    assert not [each for each in containers(plan).values() if each.read_only_root]


def test_a_step_that_fetches_nothing_has_no_network(plan_with: PlanWith) -> None:
    plan = plan_with(on_gpus)
    connected = {step.noun for step in plan.container_steps if step.container.network != NO_NETWORK}
    assert connected == FETCHES
