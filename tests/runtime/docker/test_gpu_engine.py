"""An engine that hands GPUs to containers, by a stand-in for NVIDIA's hook (H3, F7, T8).

No machine here has a GPU. What is real: the engine, its device request, the hook that it starts for
it, and a container in which `nvidia-smi` answers because of that. What is not: driver and device.
"""

import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from plan.container import Accelerator
from plan.step import ContainerStepPlan
from tests.runtime import nvidia_hook
from tests.runtime.conftest import IMAGE, Bench
from toolchain.offline.engine_daemon import Daemon, running_pid, start, stop

pytestmark = pytest.mark.engine

LOOK = 'nvidia-smi > "$partial/seen"; mv -T "$partial" "$artefact"'


@dataclass
class GpuEngine:
    """An engine of its own, and what its hook was told."""

    host: str
    record: Path
    client: Any

    def told(self) -> list[dict[str, Any]]:
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def gpu_engine(docker_client: Any) -> Iterator[GpuEngine]:
    assert os.geteuid() == 0, "starting an engine needs root: run the tests as root"
    with tempfile.TemporaryDirectory(prefix="fts-gpu-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        hook = folder / "bin/nvidia-container-runtime-hook"
        hook.parent.mkdir()
        program = folder / "bin/nvidia_hook.py"
        shutil.copy(nvidia_hook.__file__, program)
        hook.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {program} "$@"\n')
        hook.chmod(0o755)
        daemon = Daemon(
            socket=folder / "docker.sock",
            data_root=folder / "data",
            state=folder / "state",
            exec_root=folder / "exec",
            # A network namespace of its own: see tests/toolchain/offline/test_engine_daemon.py.
            launcher=("env", f"PATH={hook.parent}:{os.environ['PATH']}", "unshare", "--net"),
        )
        start(daemon)
        client = docker.DockerClient(daemon.host, timeout=60)
        try:
            client.images.load(docker_client.images.get(IMAGE).save(named=True))
            yield GpuEngine(daemon.host, hook.with_name("record.jsonl"), client)
        finally:
            client.close()
            stop(daemon)
            assert running_pid(daemon) is None


@pytest.fixture
def gpu_bench(gpu_engine: GpuEngine) -> Iterator[Bench]:
    made = Bench(gpu_engine.client, gpu_engine.host)
    try:
        yield made
    finally:
        made.clear()


def look(bench: Bench, **accelerator: Any) -> ContainerStepPlan:
    """A step that asks what GPUs it has."""
    return bench.step(
        LOOK,
        container={"accelerator": Accelerator(**accelerator)},
        results=None,
        progress_log=None,
    )


@pytest.mark.capability("H3")
def test_a_step_sees_the_gpus(gpu_engine: GpuEngine, gpu_bench: Bench):
    outcome = gpu_bench.converge(look(gpu_bench, gpus="all"))
    assert outcome.code == 0, outcome.words
    seen = gpu_bench.shell("cat /app/output/runs/f1/seen")
    assert seen.startswith("GPU 0: Stand-in (devices: all")
    told = gpu_engine.told()[-1]
    assert told["arguments"] == ["prestart"]
    assert told["devices"] == "all"


def test_a_step_on_a_cpu_host_asks_for_none(gpu_engine: GpuEngine, gpu_bench: Bench):
    before = gpu_engine.told()
    outcome = gpu_bench.converge(look(gpu_bench))
    assert outcome.code == 1
    assert "nvidia-smi: not found" in outcome.words
    assert gpu_engine.told() == before


def test_an_engine_without_a_gpu_runtime_is_explained(bench: Bench):
    outcome = bench.converge(look(bench, gpus="all"))
    assert outcome.code == 1
    assert "cannot be started: could not select device driver" in outcome.words
    assert "Install the NVIDIA Container Toolkit" in outcome.words


def test_a_device_that_is_not_there_is_explained(bench: Bench):
    outcome = bench.converge(look(bench, devices=("/dev/no-such-accelerator",)))
    assert outcome.code == 1
    assert "no-such-accelerator" in outcome.words
    assert "host.gpu.count" in outcome.words
