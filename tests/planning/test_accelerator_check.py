"""The proof that a container reaches the GPUs: when it is asked for, and of what (H3)."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from plan.pipeline import PipelinePlan
from plan.step import ContainerStepPlan
from planning.host import ask_for_tokens
from tests.planning.conftest import step_of

PlanWith = Callable[..., PipelinePlan]


def check(plan_with: PlanWith, **host: Any) -> ContainerStepPlan | None:
    return plan_with(lambda d: d.update(host=host)).accelerator_check


def test_a_cpu_host_has_nothing_to_prove(plan_with: PlanWith) -> None:
    assert check(plan_with, hardware="cpu") is None


@pytest.mark.parametrize("hardware", ["cuda", "rocm", "npu"])
def test_it_looks_from_where_training_will(plan_with: PlanWith, hardware: str) -> None:
    plan = plan_with(lambda d: d.update(host={"hardware": hardware, "gpu": {"count": 2}}))
    assert plan.accelerator_check
    training = step_of(plan.models[0], "training-run")
    looked, trained = plan.accelerator_check.container, training.container
    assert (looked.image, looked.accelerator) == (trained.image, trained.accelerator)
    assert looked.environment.items() <= trained.environment.items()


def test_it_is_told_what_the_settings_declare(plan_with: PlanWith) -> None:
    plan = check(plan_with, hardware="cuda", gpu={"count": 2, "memory_gb": 24})
    assert plan
    assert json.loads(plan.files["expected.json"]) == {"hardware": "cuda", "count": 2}


def test_other_gpus_mean_another_look_and_estimates_do_not(plan_with: PlanWith) -> None:
    def mark(gpu: dict[str, Any]) -> str:
        plan = check(plan_with, hardware="cuda", gpu=gpu)
        assert plan
        return plan.identity

    assert mark({}) != mark({"count": 3})
    assert mark({}) == mark({"memory_gb": 12}) == mark({"while_training": "share"})


def test_a_learning_rate_needs_no_new_look(plan_with: PlanWith) -> None:
    def change(document: dict[str, Any]) -> None:
        document["host"] = {"hardware": "cuda"}
        document["models"][0]["training_runs"][0]["learning_rate"] = 0.5

    before, after = check(plan_with, hardware="cuda"), plan_with(change).accelerator_check
    assert before == after


def test_its_proof_is_looked_for_at_every_up(plan_with: PlanWith) -> None:
    plan = plan_with(lambda d: d.update(host={"hardware": "cuda"}))
    assert plan.accelerator_check
    probes = {probe.step: probe.marker for probe in ask_for_tokens(plan).probes}
    assert probes[plan.accelerator_check.name] == str(plan.accelerator_check.marker)
