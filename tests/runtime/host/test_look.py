"""The look at the host: what is wrong with it, and which work is still there (H1-H3)."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from runtime.host.host_facts import GB, HostFacts
from runtime.host.host_problems import hardware_problems, size_problems

from tests.runtime.conftest import IMAGE, Bench

MINIMUM = {"cpu_cores": 4, "memory_gb": 16, "disk_gb": 50}


def facts(**info: Any) -> HostFacts:
    told = {"NCPU": 8, "MemTotal": 32 * GB, "DockerRootDir": "/var/lib/docker", **info}
    free = told.pop("free", 100 * GB)
    return HostFacts(info=told, containers=[], volumes={}, networks={}, disk_free=free)


class TestSize:
    def test_a_host_that_is_large_enough_has_no_problem(self):
        assert list(size_problems(facts(), MINIMUM, work_left=True)) == []

    def test_everything_that_is_too_small_is_told_at_once(self):
        small = facts(NCPU=2, MemTotal=8 * GB, free=9 * GB)
        problems = list(size_problems(small, MINIMUM, work_left=True))
        assert [problem.key for problem in problems] == [
            "host.minimum.cpu_cores",
            "host.minimum.memory_gb",
            "host.minimum.disk_gb",
        ]
        assert "9.0 GB are free" in problems[2].rule

    def test_sixteen_gb_as_sold_are_enough(self):
        assert list(size_problems(facts(MemTotal=16.4e9), MINIMUM, work_left=True)) == []

    def test_room_that_finished_work_has_taken_is_not_asked_for_again(self):
        assert list(size_problems(facts(free=9 * GB), MINIMUM, work_left=False)) == []

    def test_a_disk_that_cannot_be_seen_is_no_problem(self):
        assert list(size_problems(facts(free=None), MINIMUM, work_left=True)) == []


class TestHardware:
    @staticmethod
    def rules(found: HostFacts, hardware: str, files: Path, *, is_local: bool = True) -> list[str]:
        problems = hardware_problems(found, hardware, is_local=is_local, files=files)
        return [problem.rule for problem in problems]

    def test_cuda_needs_a_driver_and_a_runtime(self, tmp_path: Path):
        driver, runtime = self.rules(facts(), "cuda", tmp_path)
        assert "driver" in driver
        assert "nvidia runtime" in runtime

    @pytest.mark.parametrize(
        "info",
        [{"Runtimes": {"nvidia": {}}}, {"DiscoveredDevices": [{"ID": "nvidia.com/gpu=all"}]}],
    )
    def test_a_runtime_or_cdi_will_do(self, tmp_path: Path, info: dict[str, Any]):
        (tmp_path / "dev").mkdir()
        (tmp_path / "dev/nvidiactl").touch()
        assert self.rules(facts(**info), "cuda", tmp_path) == []

    def test_a_cdi_specification_on_this_host_will_do(self, tmp_path: Path):
        (tmp_path / "etc/cdi").mkdir(parents=True)
        (tmp_path / "etc/cdi/nvidia.yaml").touch()
        assert not any("runtime" in rule for rule in self.rules(facts(), "cuda", tmp_path))

    @pytest.mark.parametrize(
        ("hardware", "node"), [("rocm", "dev/kfd"), ("npu", "dev/davinci_manager")]
    )
    def test_other_accelerators_need_their_device(self, tmp_path: Path, hardware: str, node: str):
        assert len(self.rules(facts(), hardware, tmp_path)) == 1
        (tmp_path / node).parent.mkdir()
        (tmp_path / node).touch()
        assert self.rules(facts(), hardware, tmp_path) == []

    def test_the_drivers_of_another_host_cannot_be_seen(self, tmp_path: Path):
        assert self.rules(facts(), "rocm", tmp_path, is_local=False) == []

    def test_a_cpu_needs_nothing(self, tmp_path: Path):
        assert self.rules(facts(), "cpu", tmp_path) == []


def check(bench: Bench, **changes: Any) -> dict[str, Any]:
    spec = {
        "stack": bench.stack,
        "engine": None,
        "check": "full",
        "hardware": "cpu",
        "gpu": {"count": "all", "memory_gb": 8},
        "minimum": {"cpu_cores": 1, "memory_gb": 1, "disk_gb": 0.1},
        "ports": [],
        "volumes": [],
        "networks": [],
        "containers": [],
        "probes": [],
        "helper_images": ["finetune-stack/nowhere:none", IMAGE],
        **changes,
    }
    outcome = bench.run("host/host_check", "check", spec)
    assert outcome.code == 0, outcome.words
    return outcome.result


def claim(bench: Bench, port: int, address: str = "127.0.0.1") -> dict[str, Any]:
    return {
        "key": "board.port",
        "bind_address": address,
        "port": port,
        "container": f"{bench.stack}-board",
    }


@contextmanager
def listener() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


class TestPlanOnly:
    def test_no_engine_is_asked(self, bench: Bench):
        probe = {"step": "s", "volume": "v", "mounted_at": "/v", "marker": "/v/m"}
        result = check(bench, check="plan_only", engine="tcp://127.0.0.1:1", probes=[probe])
        assert result == {"problems": [], "tokens": {"s": "planned"}, "facts": {}}


@pytest.mark.engine
class TestEngine:
    def test_the_facts_are_told_and_nothing_is_left_behind(self, bench: Bench):
        result = check(bench)
        assert result["problems"] == []
        assert result["facts"]["cpu_cores"] == bench.client.info()["NCPU"]
        assert bench.containers() == []

    @pytest.mark.parametrize("engine", ["tcp://127.0.0.1:1", "unix:///nowhere.sock", "x://y"])
    def test_an_engine_that_does_not_answer_is_a_problem(self, bench: Bench, engine: str):
        (problem,) = check(bench, engine=engine)["problems"]
        assert (problem["key"], problem["value"]) == ("host.engine", engine)

    def test_foreign_things_with_the_stacks_names_are_problems(self, bench: Bench):
        bench.client.volumes.create(bench.volume)
        bench.client.networks.create(bench.stack, driver="bridge")
        bench.client.containers.create(
            IMAGE, name=f"{bench.stack}-board", labels={"finetune-stack.test": bench.stack}
        )
        problems = check(
            bench,
            volumes=[bench.volume],
            networks=[bench.stack],
            containers=[f"{bench.stack}-board"],
        )["problems"]
        assert [problem["value"] for problem in problems] == [
            bench.volume,
            bench.stack,
            f"{bench.stack}-board",
        ]

    def test_its_own_volume_is_none(self, bench: Bench):
        bench.client.volumes.create(bench.volume, labels={"finetune-stack.stack": bench.stack})
        assert check(bench, volumes=[bench.volume])["problems"] == []


@pytest.mark.engine
class TestPorts:
    def test_a_port_that_a_program_listens_on_is_a_problem(self, bench: Bench):
        with listener() as port:
            (problem,) = check(bench, ports=[claim(bench, port)])["problems"]
        assert (problem["key"], problem["value"]) == ("board.port", f"127.0.0.1:{port}")
        assert check(bench, ports=[claim(bench, port)])["problems"] == []

    def test_an_address_of_another_host_is_a_problem(self, bench: Bench):
        (problem,) = check(bench, ports=[claim(bench, 7860, "192.0.2.1")])["problems"]
        assert "no such address" in problem["rule"]

    @pytest.mark.parametrize("is_ours", [True, False])
    def test_a_container_that_has_the_port_is_named_unless_it_is_the_stacks(
        self, bench: Bench, is_ours: bool
    ):
        with listener() as port:
            pass
        # A network of its own: these tests ask nothing of the engine's default bridge.
        bench.client.networks.create(bench.stack, driver="bridge")
        name = f"{bench.stack}-board"
        label = "stack" if is_ours else "test"
        bench.client.containers.run(
            IMAGE,
            ["sleep", "600"],
            name=name,
            detach=True,
            init=True,
            network=bench.stack,
            ports={"80/tcp": ("127.0.0.1", port)},
            labels={f"finetune-stack.{label}": bench.stack},
        )
        rules = [
            problem["rule"] for problem in check(bench, ports=[claim(bench, port)])["problems"]
        ]
        if is_ours:
            assert rules == []
        else:
            assert rules == [f"the port cannot be published: container {name} has it"]


@pytest.mark.engine
class TestTokens:
    @staticmethod
    def probe(bench: Bench, marker: str = "m.json", **changes: Any) -> dict[str, Any]:
        place = {"volume": bench.volume, "mounted_at": "/app/output"}
        return {"step": "s", **place, "marker": f"/app/output/{marker}", "manifest": None} | changes

    def tokens(self, bench: Bench, *probes: dict[str, Any]) -> dict[str, str]:
        found: dict[str, str] = check(bench, probes=list(probes))["tokens"]
        return found

    def test_finished_work_has_its_markers_token_and_the_rest_a_new_one(self, bench: Bench):
        bench.shell("echo '{\"token\": \"t1\"}' > /app/output/m.json; echo '{' > /app/output/cut")
        probes = [
            self.probe(bench),
            self.probe(bench, "missing.json", step="missing"),
            self.probe(bench, "cut", step="cut"),
            self.probe(bench, step="elsewhere", volume=f"{bench.stack}-none"),
        ]
        first, second = self.tokens(bench, *probes), self.tokens(bench, *probes)
        assert first["s"] == second["s"] == "t1"
        for lost in ("missing", "cut", "elsewhere"):
            assert first[lost] != second[lost]
        assert bench.containers() == []

    def test_a_container_of_the_stack_that_mounts_the_volume_is_enough(self, bench: Bench):
        bench.shell('echo \'{"token": "t1"}\' > /app/output/m.json')
        bench.client.containers.create(
            IMAGE,
            volumes={bench.volume: {"bind": "/app/output", "mode": "ro"}},
            labels={"finetune-stack.stack": bench.stack},
        )
        found = check(bench, probes=[self.probe(bench)], helper_images=[])
        assert found["tokens"] == {"s": "t1"}

    @pytest.mark.parametrize(
        "command", [["sleep", "600"], ["sh", "-c", "rm $(which tar); sleep 600"]]
    )
    def test_one_that_runs_is_asked_itself_with_or_without_tar(
        self, bench: Bench, command: list[str]
    ):
        bench.shell("cd /app/output; for m in a b; do echo '{\"token\": \"'$m'\"}' > $m.json; done")
        bench.client.containers.run(
            IMAGE,
            command,
            detach=True,
            init=True,
            network_mode="none",
            volumes={bench.volume: {"bind": "/app/output", "mode": "ro"}},
            labels={"finetune-stack.stack": bench.stack},
        )
        probes = [self.probe(bench, f"{name}.json", step=name) for name in ("a", "b", "lost")]
        found = check(bench, probes=probes, helper_images=[])["tokens"]
        assert (found["a"], found["b"]) == ("a", "b")
        assert len(found["lost"]) == 32

    def test_without_any_image_to_look_through_the_work_counts_as_lost(self, bench: Bench):
        bench.shell('echo \'{"token": "t1"}\' > /app/output/m.json')
        assert check(bench, probes=[self.probe(bench)], helper_images=[])["tokens"]["s"] != "t1"

    def test_a_model_counts_only_while_it_is_the_one_that_is_served(self, bench: Bench):
        script = (
            "cd /app/output; printf one > manifest; digest=$(sha256sum manifest | cut -d' ' -f1); "
            'echo "{\\"token\\": \\"t1\\", \\"manifest_digest\\": \\"$digest\\"}" > m.json'
        )
        bench.shell(script)
        probe = self.probe(bench, manifest="/app/output/manifest")
        assert self.tokens(bench, probe) == {"s": "t1"}
        bench.shell("printf other > /app/output/manifest")
        assert self.tokens(bench, probe)["s"] != "t1"
        bench.shell("rm /app/output/manifest")
        assert self.tokens(bench, probe)["s"] != "t1"

    def test_a_directory_of_the_host_is_looked_into_as_well(self, bench: Bench, tmp_path: Path):
        bench.shell('echo \'{"token": "t1"}\' > /app/output/m.json', volume=str(tmp_path))
        there, gone = str(tmp_path), str(tmp_path / "gone")
        assert self.tokens(bench, self.probe(bench, host_path=there)) == {"s": "t1"}
        assert self.tokens(bench, self.probe(bench, host_path=gone))["s"] != "t1"


@pytest.mark.engine
def test_it_is_quick(bench: Bench):
    began = time.monotonic()
    check(bench)
    # A machine that does other things at the same time gets some slack.
    assert time.monotonic() - began < 3
