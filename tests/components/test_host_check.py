"""The look at the host that comes before the graph."""

import json
from typing import Any

import pulumi
import pytest

from components.host_check import HostFacts, look_at_host
from components.planning.pipeline import PipelinePlan
from stack_configs.problem import SettingsError
from tests.components.conftest import Engine


@pytest.fixture
def plan(make_plan, settings_document) -> PipelinePlan:
    return make_plan(settings_document)


def look(plan: PipelinePlan) -> HostFacts:
    found: list[HostFacts] = []

    @pulumi.runtime.test
    def program() -> None:
        found.append(look_at_host(plan.host_check, helper_images=plan.images.references))

    program()
    return found[0]


def test_one_look_asks_for_everything(engine: Engine, plan: PipelinePlan):
    facts = look(plan)
    (call,) = engine.calls
    spec: dict[str, Any] = json.loads(call.args["stdin"])
    assert call.token == "command:local:run"
    assert [port["port"] for port in spec["ports"]] == [11434, 7860]
    assert spec["minimum"] == {"cpu_cores": 4, "memory_gb": 16, "disk_gb": 50}
    assert set(spec["helper_images"]) == set(plan.images.references)
    assert facts.tokens.keys() == {probe.step for probe in plan.host_check.probes}


def test_every_problem_of_the_host_is_told_at_once(engine: Engine, plan: PipelinePlan):
    engine.host_check["problems"] = [
        {
            "key": "ollama_server.port",
            "value": "11434",
            "rule": "it is in use",
            "way_out": "Choose another",
        },
        {
            "key": "host.minimum.disk_gb",
            "value": "50",
            "rule": "3 GB are free",
            "way_out": "Make room",
        },
    ]
    with pytest.raises(SettingsError) as caught:
        look(plan)
    assert str(caught.value) == (
        "host check: 2 problems\n"
        "  - ollama_server.port is 11434: it is in use. Choose another.\n"
        "  - host.minimum.disk_gb is 50: 3 GB are free. Make room."
    )
