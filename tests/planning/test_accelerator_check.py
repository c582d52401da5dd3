"""The proof that a container reaches the GPUs: when it is asked for, and of what (H3)."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from planning.stage import StagePlan

from planning.pipeline import PipelinePlan

PlanWith = Callable[..., PipelinePlan]


def check(plan_with: PlanWith, **host: Any) -> StagePlan | None:
    return plan_with(lambda d: d.update(host=host)).accelerator_check


def test_a_cpu_host_has_nothing_to_prove(plan_with: PlanWith) -> None:
    assert check(plan_with, hardware="cpu") is None


@pytest.mark.parametrize("hardware", ["cuda", "rocm", "npu"])
def test_it_looks_from_where_training_will(plan_with: PlanWith, hardware: str) -> None:
    plan = plan_with(lambda d: d.update(host={"hardware": hardware, "gpu": {"count": 2}}))
    assert plan.accelerator_check
    (training,) = plan.models[0].training_runs
    looked, trained = plan.accelerator_check.container, training.container
    assert (looked.image, looked.accelerator) == (trained.image, trained.accelerator)
    assert looked.environment.items() <= trained.environment.items()


def test_it_is_told_what_the_settings_declare(plan_with: PlanWith) -> None:
    plan = check(plan_with, hardware="cuda", gpu={"count": 2, "memory_gb": 24})
    assert plan
    assert json.loads(plan.files["expected.json"]) == {
        "hardware": "cuda",
        "count": 2,
        "memory_gb": 24,
    }


@pytest.mark.parametrize("gpu", [{"count": 3}, {"memory_gb": 12}])
def test_other_gpus_mean_another_look(plan_with: PlanWith, gpu: dict[str, Any]) -> None:
    before = check(plan_with, hardware="cuda")
    after = check(plan_with, hardware="cuda", gpu=gpu)
    assert before
    assert after
    assert before.fingerprint != after.fingerprint


def test_a_learning_rate_needs_no_new_look(plan_with: PlanWith) -> None:
    def change(document: dict[str, Any]) -> None:
        document["host"] = {"hardware": "cuda"}
        document["models"][0]["training_runs"][0]["learning_rate"] = 0.5

    before, after = check(plan_with, hardware="cuda"), plan_with(change).accelerator_check
    assert before == after


def test_its_proof_is_looked_for_at_every_up(plan_with: PlanWith) -> None:
    plan = plan_with(lambda d: d.update(host={"hardware": "cuda"}))
    assert plan.accelerator_check
    probes = {probe.step: probe.marker for probe in plan.host_check.probes}
    assert probes[plan.accelerator_check.name] == str(plan.accelerator_check.marker)
