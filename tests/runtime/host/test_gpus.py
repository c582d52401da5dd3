"""GPUs as the drivers of this host tell of them (H1, H3)."""

from pathlib import Path

import pytest

from plan.host import Gpu, HostMinimum, HostQuestions
from plan.owner import Owner
from runtime.host.gpus import count_gpus, gpu_memory, gpu_problems
from runtime.host.look import HostLook

NVIDIA_SMI = """#!/bin/sh
test "$*" = "--query-gpu=memory.total --format=csv,noheader,nounits" || exit 1
printf '24564\\n12282\\n'
"""
"""A stand-in: an RTX 4090 and an RTX 4070."""


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin/nvidia-smi"
    program.parent.mkdir()
    program.write_text(NVIDIA_SMI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return program


def test_the_nvidia_driver_tells(nvidia_smi: Path):
    memory = gpu_memory("cuda")
    assert memory == [24564 * 1024**2, 12282 * 1024**2]
    assert count_gpus("cuda", memory) == 2


@pytest.mark.parametrize("said", ["echo '[N/A]'", "exit 9", "true"])
def test_a_driver_that_cannot_tell_is_no_problem(nvidia_smi: Path, said: str):
    nvidia_smi.write_text(f"#!/bin/sh\n{said}\n")
    assert gpu_memory("cuda") is None
    assert count_gpus("cuda", None) is None


def test_the_amd_driver_tells(tmp_path: Path):
    assert gpu_memory("rocm", files=tmp_path) is None
    card = tmp_path / "sys/class/drm/card1/device"
    card.mkdir(parents=True)
    (card / "mem_info_vram_total").write_text("17163091968\n")
    assert gpu_memory("rocm", files=tmp_path) == [17163091968]


def test_ascend_devices_are_counted_by_their_nodes(tmp_path: Path):
    assert count_gpus("npu", None, files=tmp_path) is None
    (tmp_path / "dev").mkdir()
    for node in ("davinci0", "davinci1", "davinci_manager"):
        (tmp_path / "dev" / node).touch()
    assert count_gpus("npu", None, files=tmp_path) == 2


@pytest.mark.parametrize(
    ("found", "wanted", "keys"),
    [(2, 3, ["host.gpu.count"]), (2, 2, []), (2, None, []), (None, 8, [])],
)
def test_fewer_gpus_than_the_settings_want_are_a_problem(
    found: int | None, wanted: int | None, keys: list[str]
):
    assert [problem.key for problem in gpu_problems(found, wanted)] == keys


@pytest.mark.engine
def test_the_look_at_the_host_has_them(nvidia_smi: Path):
    owner = Owner(stack="fts-test-gpus")
    questions = HostQuestions(
        engine=None,
        owner=owner,
        hardware="cuda",
        gpu_count=4,
        minimum=HostMinimum(cpu_cores=1, memory_gb=1, disk_gb=0.1),
        ports=(),
        volumes=(),
        networks=(),
        containers=(),
    )
    findings = HostLook(None, owner, asks=True).findings(questions)
    assert "host.gpu.count" in {problem.key for problem in findings.problems}
    # Decimal, as memory is sold; what it is worth, the advice says.
    assert findings.facts.gpus == (Gpu(memory_gb=25.8), Gpu(memory_gb=12.9))
