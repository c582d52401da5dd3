"""What a host lacks for a stack: judgement over what was seen (H1-H3)."""

from pathlib import Path
from typing import Any

import pytest

from plan.host import HostMinimum
from runtime.host.problems import hardware_problems, size_problems
from runtime.host.snapshot import GB, Snapshot

MINIMUM = HostMinimum(cpu_cores=4, memory_gb=16, disk_gb=50)


def snapshot(**info: Any) -> Snapshot:
    told = {"NCPU": 8, "MemTotal": 32 * GB, "DockerRootDir": "/var/lib/docker", **info}
    return Snapshot(info=told, containers=[], volumes={}, networks={}, disk_free=None)


class TestSize:
    def test_a_host_that_is_large_enough_has_no_problem(self):
        assert list(size_problems(snapshot(), MINIMUM)) == []

    def test_everything_that_is_too_small_is_told_at_once(self):
        problems = list(size_problems(snapshot(NCPU=2, MemTotal=8 * GB), MINIMUM))
        assert [(problem.key, problem.value) for problem in problems] == [
            ("host.minimum.cpu_cores", "4"),
            ("host.minimum.memory_gb", "16"),
        ]
        assert "8.0 GB of memory" in problems[1].rule

    def test_sixteen_gb_as_sold_are_enough(self):
        assert list(size_problems(snapshot(MemTotal=16.4e9), MINIMUM)) == []


class TestHardware:
    @staticmethod
    def rules(found: Snapshot, hardware: str, files: Path, *, is_local: bool = True) -> list[str]:
        problems = hardware_problems(found, hardware, is_local=is_local, files=files)
        return [problem.rule for problem in problems]

    def test_cuda_needs_a_driver_and_a_runtime(self, tmp_path: Path):
        driver, runtime = self.rules(snapshot(), "cuda", tmp_path)
        assert "driver" in driver
        assert "nvidia runtime" in runtime

    @pytest.mark.parametrize(
        "info",
        [{"Runtimes": {"nvidia": {}}}, {"DiscoveredDevices": [{"ID": "nvidia.com/gpu=all"}]}],
    )
    def test_a_runtime_or_cdi_will_do(self, tmp_path: Path, info: dict[str, Any]):
        (tmp_path / "dev").mkdir()
        (tmp_path / "dev/nvidiactl").touch()
        assert self.rules(snapshot(**info), "cuda", tmp_path) == []

    def test_a_cdi_specification_on_this_host_will_do(self, tmp_path: Path):
        (tmp_path / "etc/cdi").mkdir(parents=True)
        (tmp_path / "etc/cdi/nvidia.yaml").touch()
        assert not any("runtime" in rule for rule in self.rules(snapshot(), "cuda", tmp_path))

    @pytest.mark.parametrize(
        ("hardware", "node"), [("rocm", "dev/kfd"), ("npu", "dev/davinci_manager")]
    )
    def test_other_accelerators_need_their_device(self, tmp_path: Path, hardware: str, node: str):
        assert len(self.rules(snapshot(), hardware, tmp_path)) == 1
        (tmp_path / node).parent.mkdir()
        (tmp_path / node).touch()
        assert self.rules(snapshot(), hardware, tmp_path) == []

    def test_the_drivers_of_another_host_cannot_be_seen(self, tmp_path: Path):
        assert self.rules(snapshot(), "rocm", tmp_path, is_local=False) == []

    def test_a_cpu_needs_nothing(self, tmp_path: Path):
        assert self.rules(snapshot(), "cpu", tmp_path) == []
