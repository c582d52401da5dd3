"""The exporter: what it is told to measure, and that it can change none of it (O7)."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from plan.codec import decode
from plan.container import Accelerator
from plan.metrics import MeasuredStep, MetricsRequest
from plan.pipeline import PipelinePlan
from plan.service import ServicePlan
from tests.planning.conftest import step_of

PlanWith = Callable[..., PipelinePlan]


@pytest.fixture
def plan(plan_with: PlanWith) -> PipelinePlan:
    return measured(plan_with)


def measured(plan_with: PlanWith, **sections: Any) -> PipelinePlan:
    return plan_with(lambda d: d.update({"metrics": {"enabled": True}, **sections}))


def exporter(plan: PipelinePlan) -> ServicePlan:
    assert plan.metrics is not None
    return plan.metrics


def told(plan: PipelinePlan) -> tuple[MetricsRequest, list[MeasuredStep]]:
    first, *rest = exporter(plan).container.command
    return decode(MetricsRequest, first), [decode(MeasuredStep, word) for word in rest]


def test_it_is_off_unless_asked_for(plan_with: PlanWith) -> None:
    plan = plan_with()
    assert plan.metrics is None
    assert plan.images.metrics is None


def test_it_measures_every_step_of_the_stack(plan: PipelinePlan) -> None:
    _, steps = told(plan)
    expected = {plan.dataset_registration.name}
    expected |= {step.name for step in plan.container_steps}
    expected |= {model.ollama_model.name for model in plan.models}
    assert {f"test-{step.name}" for step in steps} == expected


def test_a_step_is_found_where_it_works_and_where_it_ends(plan: PipelinePlan) -> None:
    run = step_of(plan.models[0], "training-run")
    (step,) = (step for step in told(plan)[1] if step.noun == "training-run")
    assert (step.name, step.log) == ("guide-sft", "trainer_log.jsonl")
    assert (step.marker, step.partial) == (str(run.marker), str(run.partial))


def test_a_shared_base_model_is_measured_once(plan_with: PlanWith) -> None:
    def twice(document: dict[str, Any]) -> None:
        document["metrics"] = {"enabled": True}
        document["models"].append(document["models"][0] | {"name": "other"})

    names = [step.name for step in told(plan_with(twice))[1]]
    assert len(names) == len(set(names))


def test_it_can_write_to_nothing_and_reaches_no_engine(plan: PipelinePlan) -> None:
    container = exporter(plan).container
    assert {mount.target for mount in container.mounts} == {
        volume.target for volume in plan.volumes
    }
    assert all(mount.read_only for mount in container.mounts)
    assert container.read_only_root
    assert container.capabilities == ()


def test_it_asks_ollama_within_the_stack(plan: PipelinePlan) -> None:
    request, _ = told(plan)
    assert request.ollama == f"http://{plan.ollama_server.name}:{plan.ollama_server.port.internal}"
    assert request.port == exporter(plan).port.internal


def test_it_listens_to_this_host_alone_unless_asked(plan_with: PlanWith) -> None:
    assert exporter(measured(plan_with)).port.bind_address == "127.0.0.1"
    sections = {"enabled": True, "port": 9000, "bind_address": "192.0.2.7"}
    port = exporter(measured(plan_with, metrics=sections)).port
    assert (port.external, port.bind_address) == (9000, "192.0.2.7")


def test_ollamas_log_comes_by_the_engine_of_this_very_host(plan_with: PlanWith) -> None:
    assert plan_with().ollama_server.log_port is None
    metrics = {"enabled": True, "port": 9000, "bind_address": "192.0.2.7"}
    plan = measured(plan_with, metrics=metrics)
    assert plan.ollama_server.log_port == 9000
    (datagrams,) = (port for port in exporter(plan).container.ports if port.protocol == "udp")
    assert (datagrams.external, datagrams.bind_address) == (9000, "127.0.0.1")
    assert [service.settings for service in plan.services if service.log_port] == ["ollama_server"]


@pytest.mark.parametrize("hardware", ["cpu", "cuda", "rocm", "npu"])
def test_it_looks_at_gpus_where_nvidia_smi_comes_with_them(
    plan_with: PlanWith, hardware: str
) -> None:
    host = {"hardware": hardware, "gpu": {"count": 1}}
    plan = measured(plan_with, host=host)
    container = exporter(plan).container
    has_gpus = hardware == "cuda"
    assert told(plan)[0].gpus == has_gpus
    assert container.accelerator == (Accelerator(gpus="all") if has_gpus else Accelerator())
    # Of all that the driver can do, the tool alone.
    assert container.environment.get("NVIDIA_DRIVER_CAPABILITIES") == (
        "utility" if has_gpus else None
    )


def test_a_measured_training_counts_its_tokens(plan: PipelinePlan, plan_with: PlanWith) -> None:
    def arguments(plan: PipelinePlan) -> Any:
        return yaml.safe_load(step_of(plan.models[0], "training-run").files["train.yaml"])

    assert arguments(plan)["include_num_input_tokens_seen"] is True
    assert "include_num_input_tokens_seen" not in arguments(plan_with())


def test_no_argument_is_longer_than_an_engine_takes(plan_with: PlanWith) -> None:
    def many(document: dict[str, Any]) -> None:
        document["metrics"] = {"enabled": True}
        model = document["models"][0]
        document["models"] = [model | {"name": f"model-{index}"} for index in range(200)]

    words = exporter(plan_with(many)).container.command
    assert len(words) > 800
    assert max(map(len, words)) < 128 * 1024
    assert json.loads(words[0])["gpus"] is False
