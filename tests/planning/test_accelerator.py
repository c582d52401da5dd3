"""How containers reach each kind of accelerator (F2, H3, T8)."""

from typing import Any

import pytest

from plan.container import Accelerator
from planning.accelerator import plan_accelerator
from stack_configs.settings.host import HostSettings


def accelerator(hardware: str, count: Any = "all") -> Accelerator:
    settings = {"hardware": hardware, "gpu": {"count": count}}
    return plan_accelerator(HostSettings.model_validate(settings))


def test_a_cpu_host_has_none() -> None:
    assert accelerator("cpu") == Accelerator()


def test_nvidia() -> None:
    assert accelerator("cuda") == Accelerator(gpus="all")
    assert accelerator("cuda", 2).environment == {"CUDA_VISIBLE_DEVICES": "0,1"}


def test_amd() -> None:
    plan = accelerator("rocm", 1)
    assert plan.gpus is None
    assert plan.devices == ("/dev/kfd", "/dev/dri")
    assert plan.groups == ("video",)
    assert plan.environment == {"HIP_VISIBLE_DEVICES": "0"}


def test_ascend_has_a_node_for_each_device_and_its_driver_on_the_host() -> None:
    plan = accelerator("npu", 2)
    assert plan.devices[:2] == ("/dev/davinci0", "/dev/davinci1")
    assert {"/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc"} <= set(plan.devices)
    assert "/usr/local/Ascend/driver" in plan.host_mounts
    assert plan.environment == {"ASCEND_RT_VISIBLE_DEVICES": "0,1"}


@pytest.mark.parametrize("hardware", ["cuda", "rocm"])
def test_all_devices_are_not_narrowed_down(hardware: str) -> None:
    assert accelerator(hardware).environment == {}
