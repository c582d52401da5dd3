"""The host's grade is told; below the minimum is advice, and what is demanded is no advice (H1)."""

from collections.abc import Callable
from typing import Any

import pytest

from plan.host import Gpu, HostFacts
from planning.advice.host_grade import about_host_grade, tell_host_grade
from stack_configs.settings.root import Settings

SettingsWith = Callable[[Callable[[dict[str, Any]], Any]], Settings]
SMALL = HostFacts(
    cpu_cores=2, memory_gb=8, disk_free_gb=20, gpus=(Gpu(memory_gb=80), Gpu(memory_gb=6))
)


@pytest.mark.parametrize(
    ("host", "is_made", "keys"),
    [
        ({}, False, ["host.minimum.cpu_cores", "host.minimum.memory_gb", "host.minimum.disk_gb"]),
        # A finished stack has used its room.
        ({}, True, ["host.minimum.cpu_cores", "host.minimum.memory_gb"]),
        # Judged by the settings: refused there, or enough.
        ({"minimum": {"cpu_cores": 2, "memory_gb": 4}}, True, []),
        (
            {"hardware": "cuda", "minimum": {"cpu_cores": 2, "disk_gb": 9, "memory_gb": 4}},
            False,
            ["host.gpu.memory_gb"],
        ),
    ],
)
def test_what_is_below_the_minimum(
    settings_with: SettingsWith, host: dict[str, Any], is_made: bool, keys: list[str]
) -> None:
    settings = settings_with(lambda d: d["host"].update(host))
    assert [each.key for each in about_host_grade(settings, SMALL, is_made=is_made)] == keys


def test_it_says_what_to_expect_and_the_way_out(settings_with: SettingsWith) -> None:
    facts = HostFacts(memory_gb=8)
    (advice,) = about_host_grade(settings_with(lambda d: None), facts, is_made=False)
    assert str(advice) == (
        "host.minimum.memory_gb: the host has 8 GB of memory, and the guide's minimum is 16 GB of "
        "memory: the merge and the conversion hold a model's weights in memory, and may not fit. "
        "Take a larger host, or set host.minimum.memory_gb to what this stack needs."
    )


def test_one_line_for_the_operator(settings_with: SettingsWith) -> None:
    settings = settings_with(lambda d: d["host"].update(hardware="cuda"))
    facts = HostFacts(cpu_cores=16, memory_gb=64, disk_free_gb=900, gpus=(Gpu(memory_gb=25.8),) * 2)
    (line,) = tell_host_grade(settings, facts, is_made=False)
    assert line == (
        "hardware of the host: recommended (16 CPU cores, 64 GB of memory, 25.8 GB of GPU memory, "
        "900 GB of free disk); large models is 80 GB of GPU memory"
    )
    assert list(about_host_grade(settings, facts, is_made=False)) == []


def test_nothing_is_told_of_a_host_that_nobody_saw(settings_with: SettingsWith) -> None:
    settings = settings_with(lambda d: None)
    assert list(tell_host_grade(settings, HostFacts(), is_made=False)) == []
    assert list(about_host_grade(settings, HostFacts(), is_made=False)) == []
