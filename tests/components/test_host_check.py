"""The look at the host that comes before the graph."""

import pulumi
import pytest

from components.host_check import HostFacts, HostLook
from plan.problem import SettingsError
from planning.pipeline import PipelinePlan
from tests.components.conftest import Host


@pytest.fixture
def plan(make_plan, settings_document) -> PipelinePlan:
    return make_plan(settings_document)


def look(plan: PipelinePlan) -> HostFacts:
    begun = HostLook()
    begun.ask(plan.host_check, helper_images=plan.images.references)
    return begun.answer()


def test_one_look_asks_for_everything(host: Host, plan: PipelinePlan):
    facts = look(plan)
    assert [port["port"] for port in host.spec["ports"]] == [11434, 7860]
    assert host.spec["minimum"] == {"cpu_cores": 4, "memory_gb": 16, "disk_gb": 50}
    assert host.spec["gpu_count"] == "all"
    assert set(host.spec["helper_images"]) == set(plan.images.references)
    assert facts.tokens.keys() == {probe.step for probe in plan.host_check.probes}


def test_every_problem_of_the_host_is_told_at_once(host: Host, plan: PipelinePlan):
    host.has_problems(
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
    )
    with pytest.raises(SettingsError) as caught:
        look(plan)
    assert str(caught.value) == (
        "host check: 2 problems\n"
        "  - ollama_server.port is 11434: it is in use. Choose another.\n"
        "  - host.minimum.disk_gb is 50: 3 GB are free. Make room."
    )


@pytest.mark.parametrize("program", ["import sys; sys.exit('error: it broke')", "exit(3)"])
def test_a_program_that_cannot_look_is_an_error_in_words(
    host: Host, plan: PipelinePlan, program: str
):
    host.program.write_text(program)
    with pytest.raises(pulumi.RunError, match="the host cannot be looked at"):
        look(plan)


def test_a_look_that_is_called_off_leaves_no_process(host: Host):
    called_off = HostLook()
    called_off.close()
    assert called_off._process.returncode is not None
