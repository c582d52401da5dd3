"""The programs as pulumi-command runs them, on the real engine, under names of their own."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import docker
import pytest

from plan import labels, paths
from plan.codec import encode
from plan.container import MIB, Container, Mount
from plan.owner import Owner
from plan.step import ContainerStepPlan, Request, StepPlan
from runtime.docker.engine import Engine
from tests.runtime.ollama_stand_in import OllamaStandIn

PROJECT = Path(__file__).parents[2]
IMAGE = os.environ.get("FINETUNE_TEST_IMAGE", "debian:trixie-slim")
PATIENCE_SECONDS = 30
TOKEN = "t1"
TEST_LABEL = f"{labels.NAMESPACE}.test"
"""On what the tests put beside the programs' own things."""


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
    engine: str | None = None
    stack: str = field(default_factory=lambda: f"fts-test-{secrets.token_hex(4)}")

    _lookouts: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def owner(self) -> Owner:
        return Owner(stack=self.stack, id="0123456789ab")

    @property
    def volume(self) -> str:
        return f"{self.stack}-output"

    def make_volume(self, role: str = "output") -> str:
        """A volume of the stack, as the provider makes it; its name."""
        name = f"{self.stack}-{role}"
        self.client.volumes.create(name, labels=self.owner.labels)
        return name

    def start(
        self,
        noun: str,
        action: str,
        step: StepPlan,
        *,
        token: str = TOKEN,
        owner: Owner | None = None,
        **environment: str,
    ) -> subprocess.Popen[str]:
        request = Request(engine=self.engine, owner=owner or self.owner, step=step, token=token)
        return start_program(["-m", "runtime", noun, action], encode(request), environment)

    def run(self, noun: str, action: str, step: StepPlan, **given: Any) -> Outcome:
        return end(self.start(noun, action, step, **given))

    def converge(self, step: ContainerStepPlan, **given: Any) -> Outcome:
        return self.run(step.noun, "converge", step, **given)

    def leave_at_work(self, step: ContainerStepPlan) -> None:
        """A step whose caller was killed while its container goes on."""
        process = self.start(step.noun, "converge", step)
        self.wait(self.is_running)
        process.kill()
        end(process)

    def step(
        self,
        script: str,
        *,
        identity: str = "f1",
        container: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> ContainerStepPlan:
        """A step whose container runs a shell script; `$partial` and `$artefact` are set.

        The volume that it writes to is there.
        """
        self.make_volume()
        places = {"partial": paths.partial(identity), "artefact": paths.artefact(identity)}
        assignments = "; ".join(f"{key}={value}" for key, value in places.items())
        plain = Container(
            image=IMAGE,
            command=("sh", "-ec", f"{assignments}; {script}"),
            mounts=(self.mount(),),
            # No step of these tests needs a network, and without one it starts sooner.
            network="none",
            shm_bytes=64 * MIB,
        )
        given: dict[str, Any] = {
            "name": f"{self.stack}-sft",
            "noun": "training-run",
            "title": "train guide: sft, lora",
            "progress_log": "trainer_log.jsonl",
            "results": "all_results.json",
            "deadline_seconds": 60,
            **changes,
        }
        return ContainerStepPlan(
            identity=identity, container=replace(plain, **(container or {})), **given
        )

    def mount(self) -> Mount:
        return Mount(source=self.volume, target=str(paths.OUTPUT))

    def container(self, name: str = "sft") -> Any:
        """The step's container, or None."""
        try:
            return self.client.containers.get(f"{self.stack}-{name}")
        except docker.errors.NotFound:
            return None

    def containers(self) -> list[Any]:
        label = f"{labels.STACK}={self.stack}"
        found = self.client.containers.list(all=True, filters={"label": label}, ignore_removed=True)
        return list(found)

    def starts_since(self, moment: float) -> list[str]:
        events = self.client.events(
            since=int(moment),
            until=int(time.time()) + 1,
            filters={
                "type": "container",
                "event": "start",
                "label": f"{labels.STACK}={self.stack}",
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
                labels={TEST_LABEL: self.stack},
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

    def clear_lookouts(self) -> None:
        """Let go of the volumes that scripts have looked into."""
        for container in self._lookouts.values():
            container.remove(force=True)
        self._lookouts.clear()

    def clear(self) -> None:
        for label in (labels.STACK, TEST_LABEL):
            found = self.client.containers.list(
                all=True, filters={"label": f"{label}={self.stack}"}
            )
            for container in found:
                container.remove(force=True, v=True)
        for volume in self.client.volumes.list(filters={"name": self.stack}):
            volume.remove(force=True)
        for network in self.client.networks.list(names=[self.stack]):
            network.remove()


def start_program(
    arguments: Sequence[str], stdin: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    process.stdin.write(stdin)
    process.stdin.close()
    process.stdin = None
    return process


def end(process: subprocess.Popen[str]) -> Outcome:
    """How a program ends; one that does not end in time fails the test and is gone."""
    try:
        output, words = process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        raise
    assert "Traceback" not in words, words
    return Outcome(code=process.returncode, output=output, words=words)


class Heard:
    """What a running program says, as it says it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.words = ""
        self.process = process
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def end(self) -> int:
        """The exit code, once the program has ended by itself."""
        self._listener.join(timeout=PATIENCE_SECONDS)
        self.process.communicate(timeout=PATIENCE_SECONDS)
        assert "Traceback" not in self.words, self.words
        return self.process.returncode

    def give_up(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self._listener.join()
        self.process.communicate()

    def _listen(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.words += line


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
def engine() -> Iterator[Engine]:
    """The engine, by the programs' own means."""
    with closing(Engine()) as made:
        yield made


@pytest.fixture
def ollama(bench: Bench) -> OllamaStandIn:
    """The stack's Ollama server, with a stand-in for its client."""
    container = bench.client.containers.create(
        IMAGE,
        ["sleep", "600"],
        name=f"{bench.stack}-ollama-server",
        init=True,
        network_mode="none",
        volumes={bench.make_volume("ollama"): {"bind": str(paths.OLLAMA_STORE), "mode": "rw"}},
        labels=bench.owner.labels,
    )
    return OllamaStandIn(container)


@pytest.fixture
def small_tmp(tmp_path: Path) -> Iterator[Path]:
    """A folder for large files: gone when the test is over, not three runs later."""
    yield tmp_path
    shutil.rmtree(tmp_path)
