"""The programs as pulumi-command runs them, on the real engine, under names of their own."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest

PROJECT = Path(__file__).parents[2]
IMAGE = os.environ.get("FINETUNE_TEST_IMAGE", "debian:trixie-slim")
PATIENCE_SECONDS = 30


@dataclass
class Outcome:
    """How a program ended."""

    code: int
    output: str
    words: str

    @property
    def result(self) -> dict[str, Any]:
        (line,) = self.output.splitlines()
        result: dict[str, Any] = json.loads(line)
        return result


@dataclass
class Bench:
    """One stack's worth of names, and the means to run programs under them."""

    client: Any
    stack: str = field(default_factory=lambda: f"fts-test-{secrets.token_hex(4)}")

    _lookouts: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def volume(self) -> str:
        return f"{self.stack}-output"

    def start(
        self, program: str, action: str, spec: Mapping[str, Any], **environment: str
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, f"runtime/{program}.py", action],
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdin
        process.stdin.write(json.dumps(spec))
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, program: str, action: str, spec: Mapping[str, Any], **env: str) -> Outcome:
        return self.end(self.start(program, action, spec, **env))

    def end(self, process: subprocess.Popen[str]) -> Outcome:
        output, words = process.communicate(timeout=PATIENCE_SECONDS)
        assert "Traceback" not in words, words
        return Outcome(code=process.returncode, output=output, words=words)

    def converge(self, spec: Mapping[str, Any], **env: str) -> Outcome:
        return self.run("steps/stage", "converge", spec, **env)

    def stage(self, script: str, *, fingerprint: str = "f1", **changes: Any) -> dict[str, Any]:
        """A stage whose container runs a shell script; `$partial` and `$artefact` are set."""
        artefact = f"/app/output/runs/{fingerprint}"
        paths = {"partial": f"{artefact}.partial", "artefact": artefact}
        assignments = "; ".join(f"{key}={value}" for key, value in paths.items())
        return {
            "engine": None,
            "stack": self.stack,
            "name": f"{self.stack}-sft",
            "noun": "training-run",
            "title": "train guide: sft, lora",
            "fingerprint": fingerprint,
            "token": "t1",
            "container": {
                "image": IMAGE,
                "command": ["sh", "-ec", f"{assignments}; {script}"],
                "environment": {},
                "mounts": [self.mount()],
                # No step of these tests needs a network, and without one it starts sooner.
                "network": "none",
                "shm_bytes": 64 * 1024**2,
                "accelerator": {},
            },
            **paths,
            "marker": f"{artefact}/complete.json",
            "files": {},
            "uploads": {},
            "progress_log": "trainer_log.jsonl",
            "results": "all_results.json",
            "secret_environment": [],
            "preload": None,
            "deadline_seconds": 60,
            **changes,
        }

    def mount(self, **changes: Any) -> dict[str, Any]:
        mount = {"type": "volume", "source": self.volume, "target": "/app/output"}
        return {**mount, "read_only": False, **changes}

    def container(self, name: str = "sft") -> Any:
        """The stage's container, or None."""
        try:
            return self.client.containers.get(f"{self.stack}-{name}")
        except docker.errors.NotFound:
            return None

    def containers(self) -> list[Any]:
        label = f"finetune-stack.stack={self.stack}"
        return list(self.client.containers.list(all=True, filters={"label": label}))

    def starts_since(self, moment: float) -> list[str]:
        events = self.client.events(
            since=int(moment),
            until=int(time.time()) + 1,
            filters={
                "type": "container",
                "event": "start",
                "label": f"finetune-stack.stack={self.stack}",
            },
            decode=True,
        )
        return [
            event["Actor"]["Attributes"]["name"]
            for event in events
            if event["timeNano"] / 1e9 >= moment
        ]

    def shell(self, script: str, volume: str | None = None, target: str = "/app/output") -> str:
        """What a shell script says about a volume."""
        place = (volume or self.volume, target)
        if place not in self._lookouts:
            self._lookouts[place] = self.client.containers.run(
                IMAGE,
                ["sleep", "600"],
                volumes={place[0]: {"bind": target, "mode": "rw"}},
                network_mode="none",
                init=True,
                labels={"finetune-stack.test": self.stack},
                detach=True,
            )
        code, output = self._lookouts[place].exec_run(["sh", "-ec", script])
        assert code == 0, output
        return str(output.decode())

    def wait(self, enough: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not enough():
            assert time.monotonic() < until, "it did not come to pass"
            time.sleep(0.05)

    def is_running(self, name: str = "sft") -> bool:
        container = self.container(name)
        return container is not None and container.status == "running"

    def clear(self) -> None:
        for label in ("stack", "test"):
            found = self.client.containers.list(
                all=True, filters={"label": f"finetune-stack.{label}={self.stack}"}
            )
            for container in found:
                container.remove(force=True, v=True)
        for volume in self.client.volumes.list(filters={"name": self.stack}):
            volume.remove(force=True)
        for network in self.client.networks.list(names=[self.stack]):
            network.remove()


@pytest.fixture(scope="session")
def docker_client() -> Iterator[Any]:
    """The engine, asked by other means than the programs' own."""
    client = docker.from_env(timeout=60)
    client.ping()
    yield client
    client.close()


@pytest.fixture
def bench(docker_client: Any) -> Iterator[Bench]:
    made = Bench(docker_client)
    try:
        yield made
    finally:
        made.clear()


@pytest.fixture
def small_tmp(tmp_path: Path) -> Iterator[Path]:
    """A folder for large files: gone when the test is over, not three runs later."""
    yield tmp_path
    shutil.rmtree(tmp_path)
