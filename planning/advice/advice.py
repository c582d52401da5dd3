"""All that is worth a warning about one environment, from its settings and a look at its host."""

from collections.abc import Mapping, Sequence
from typing import Any

from plan.host import HostFacts, Tokens
from plan.pipeline import PipelinePlan
from plan.problem import Problem
from planning.advice.devices import found_gb
from planning.advice.disk_forecast import about_room, forecast_writes
from planning.advice.exposure import about_exposure
from planning.advice.gpu_memory import about_gpu_memory
from planning.advice.host_grade import about_host_grade
from planning.advice.serving import about_serving
from planning.advice.training_rows import about_training_rows
from planning.advice.training_speed import about_training_speed
from stack_configs.settings.root import Settings


def find_advice(
    settings: Settings, facts: HostFacts, *, has_api_key: bool = False, is_made: bool = False
) -> list[Problem]:
    """What may go wrong, or slowly. `facts` are empty where nobody looked.

    `has_api_key`: whether clients of the API have to send a key. `is_made`: whether all work of
    the stack is there.
    """
    return [
        *about_gpu_memory(settings, facts, found_gb(facts)),
        *about_host_grade(settings, facts, is_made=is_made),
        *about_serving(settings),
        *about_exposure(settings, has_api_key=has_api_key),
        *about_training_speed(settings, facts),
        *about_training_rows(settings, facts),
    ]


def find_room_advice(
    settings: Settings, plan: PipelinePlan, facts: HostFacts, tokens: Tokens
) -> list[Problem]:
    """Less room on the disk than what is still to be written takes."""
    return list(about_room(forecast_writes(settings, plan, facts, tokens), facts))


def find_accelerator_advice(
    settings: Settings, facts: HostFacts, accelerators: Sequence[Mapping[str, Any]]
) -> list[Problem]:
    """What only the accelerator check could tell, on an engine whose drivers nobody sees from here.

    `accelerators` is its result: `name` and `memory_gb` of each device.
    """
    if facts.gpus is not None:
        return []
    found = [device["memory_gb"] for device in accelerators]
    return list(about_gpu_memory(settings, facts, found))
