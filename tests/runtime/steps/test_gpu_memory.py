"""Serving makes room on the GPUs for a run, and comes back after it (T5)."""

import gc
import io
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from plan import labels
from plan.codec import encode
from plan.container import Container, Mount
from plan.gpu_memory import GpuMemoryHolder
from plan.host import HostMinimum, HostQuestions, TokenQuestions
from plan.owner import Owner
from plan.step import ContainerStepPlan, Request, ServiceStartStep
from runtime.docker.engine import Engine
from runtime.failure import StepError
from runtime.host.look import HostLook
from runtime.program import Interrupted
from runtime.steps import gpu_memory
from runtime.steps.gpu_memory import freed, resume
from tests.runtime.conftest import IMAGE, PROJECT, Bench

pytestmark = [
    pytest.mark.engine,
    # Of a command inside a container the SDK leaves the connection to the garbage collection.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

OLLAMA = r"""#!/bin/sh
# The client of a server that has the models of /loaded in memory; one that is busy stays there.
echo "$@" >> /calls
case $1 in
ps)
    [ ! -e /deaf ] || { echo 'could not connect' >&2; exit 1; }
    echo "NAME ID SIZE PROCESSOR CONTEXT UNTIL"
    cat /loaded ;;
stop) [ -e /busy ] || sed -i "/^$2 /d" /loaded ;;
esac
"""
LOADED = "guide:latest 0123 5.2 GB 100% GPU 4096 4 minutes from now\n"


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.close()
    gc.collect()


@pytest.fixture
def server(bench: Bench) -> Any:
    """An Ollama server with one model in memory."""
    container = service(bench, "ollama-server")
    put(container, "/usr/local/bin/ollama", OLLAMA, mode=0o755)
    put(container, "/loaded", LOADED)
    return container


@pytest.fixture
def api(bench: Bench) -> Any:
    return service(bench, "api")


def service(bench: Bench, name: str, **own: str) -> Any:
    return bench.client.containers.run(
        IMAGE,
        ["sleep", "600"],
        name=f"{bench.stack}-{name}",
        detach=True,
        init=True,
        network_mode="none",
        labels={labels.STACK: bench.stack, **own},
    )


def program(noun: str, request: Request[Any]) -> str:
    """What the program of a step says while it converges."""
    done = subprocess.run(
        [sys.executable, "-m", "runtime", noun, "converge"],
        cwd=PROJECT,
        input=encode(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def questions(owner: Owner) -> HostQuestions:
    return HostQuestions(
        engine=None,
        owner=owner,
        hardware="cpu",
        gpu_count=None,
        minimum=HostMinimum(cpu_cores=1, memory_gb=1, disk_gb=0.1),
        ports=(),
        volumes=(),
        networks=(),
        containers=(),
    )


def put(container: Any, path: str, text: str, mode: int = 0o644) -> None:
    content, stream = text.encode(), io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.size, entry.mode = len(content), mode
        archive.addfile(entry, io.BytesIO(content))
    assert container.put_archive("/", stream.getvalue())


def run(container: Any, *command: str) -> str:
    code, output = container.exec_run(list(command))
    assert code == 0, output
    return str(output.decode())


def status(container: Any) -> str:
    container.reload()
    return str(container.status)


def holders(bench: Bench) -> list[GpuMemoryHolder]:
    return [
        GpuMemoryHolder(container=f"{bench.stack}-ollama-server", release="unload"),
        GpuMemoryHolder(container=f"{bench.stack}-api", release="stop"),
    ]


def test_models_are_unloaded_and_the_api_stops_for_the_time_of_the_run(
    engine: Engine, bench: Bench, server: Any, api: Any, capsys: Any
):
    with freed(engine, holders(bench), title="train guide"):
        assert run(server, "cat", "/loaded") == ""
        assert status(server) == "running"
        assert status(api) == "exited"
    assert status(api) == "running"
    words = capsys.readouterr().err
    assert f"train guide: {server.name} has unloaded guide:latest" in words
    assert f"train guide: {api.name} is stopped for the time of the run" in words
    assert f"train guide: {api.name} starts again" in words


def test_a_run_that_fails_gives_the_memory_back(engine: Engine, bench: Bench, api: Any):
    def fail() -> None:
        with freed(engine, holders(bench)[1:], title="train"):
            raise StepError("out of memory")

    with pytest.raises(StepError, match="out of memory"):
        fail()
    assert status(api) == "running"


def test_a_run_that_goes_on_without_its_caller_keeps_its_room(
    engine: Engine, bench: Bench, api: Any, capsys: Any
):
    def interrupt() -> None:
        with freed(engine, holders(bench)[1:], title="train"):
            raise Interrupted("still running")

    with pytest.raises(Interrupted):
        interrupt()
    assert status(api) == "exited"
    # The next up attaches, sees the run end, and the API is there again.
    with freed(engine, holders(bench)[1:], title="train"):
        assert status(api) == "exited"
    assert status(api) == "running"
    # Or the run has ended meanwhile.
    api.stop(timeout=0)
    resume(engine, holders(bench)[1:], title="train")
    assert status(api) == "running"
    capsys.readouterr()
    resume(engine, holders(bench)[1:], title="train")
    assert capsys.readouterr().err == ""


def test_services_that_are_not_there_hold_nothing(engine: Engine, bench: Bench, capsys: Any):
    with freed(engine, holders(bench), title="train"):
        pass
    assert capsys.readouterr().err == ""


def test_an_idle_server_is_left_alone(engine: Engine, bench: Bench, server: Any, capsys: Any):
    put(server, "/loaded", "")
    with freed(engine, holders(bench)[:1], title="train"):
        pass
    assert "stop" not in run(server, "cat", "/calls")
    assert capsys.readouterr().err == ""


def test_a_server_that_does_not_answer_fails_no_run(
    engine: Engine, bench: Bench, server: Any, capsys: Any
):
    put(server, "/deaf", "")
    with freed(engine, holders(bench)[:1], title="train"):
        pass
    assert "could not be freed (`ollama ps` failed: could not connect)" in capsys.readouterr().err


class TestBusyServer:
    """An answer is being given: its model stays until that has ended."""

    def test_it_is_waited_for(self, engine: Engine, bench: Bench, server: Any):
        put(server, "/busy", "")
        ended = threading.Timer(1.0, lambda: run(server, "sh", "-c", "rm /busy; : > /loaded"))
        ended.start()
        began = time.monotonic()
        with freed(engine, holders(bench)[:1], title="train"):
            assert run(server, "cat", "/loaded") == ""
        assert time.monotonic() - began > 0.9

    def test_not_for_ever(
        self, engine: Engine, bench: Bench, server: Any, monkeypatch: Any, capsys: Any
    ):
        monkeypatch.setattr(gpu_memory, "UNLOAD_SECONDS", 0.5)
        put(server, "/busy", "")
        with freed(engine, holders(bench)[:1], title="train"):
            pass
        assert "goes on using guide:latest; the run gets what is left" in capsys.readouterr().err


class TestTrainingRun:
    """The program of a training run, on the real engine."""

    def converge(self, bench: Bench) -> str:
        folder = "/app/output/runs/f1"
        step = ContainerStepPlan(
            noun="training-run",
            name=f"{bench.stack}-sft",
            title="train guide: sft",
            identity="f1",
            container=Container(
                image=IMAGE,
                command=("sh", "-ec", f"sleep 1; mv -T {folder}.partial {folder}"),
                mounts=(Mount(source=bench.volume, target="/app/output"),),
            ),
            gpu_memory_holders=tuple(holders(bench)),
            deadline_seconds=60,
        )
        owner = Owner(stack=bench.stack)
        return program(step.noun, Request(engine=None, owner=owner, step=step, token="t1"))

    def test_it_has_the_gpus_to_itself(self, bench: Bench, server: Any, api: Any):
        bench.client.volumes.create(bench.volume, labels={"finetune-stack.stack": bench.stack})
        began = time.time()
        self.converge(bench)
        happened = [
            (event["Actor"]["Attributes"]["name"].removeprefix(f"{bench.stack}-"), event["Action"])
            for event in bench.client.events(
                since=int(began),
                until=int(time.time()) + 1,
                filters={
                    "type": "container",
                    "event": ["start", "die"],
                    "label": f"finetune-stack.stack={bench.stack}",
                },
                decode=True,
            )
            if event["timeNano"] / 1e9 >= began
        ]
        order = [("api", "die"), ("sft", "start"), ("sft", "die"), ("api", "start")]
        assert happened == order
        assert run(server, "cat", "/loaded") == ""

    def test_the_api_is_not_missed_meanwhile(self, bench: Bench):
        """Neither by an `up` that looks at the host, nor by one that waits for it to answer."""
        room = {labels.MAKES_ROOM: "true", labels.TOKEN: "api-token"}
        api = service(bench, "api", **room)
        owner = Owner(stack=bench.stack)

        def token() -> str:
            look = HostLook(None, owner, asks=True)
            look.findings(questions(owner))
            tokens = look.tokens(TokenQuestions(services=(api.name,)))
            return tokens.services[api.name]

        def wait_for_it() -> str:
            step = ServiceStartStep(
                name=api.name,
                title="start the API",
                probe=("true",),
                deadline_seconds=20,
                settings="api",
            )
            request = Request(engine=None, owner=owner, step=step, token="t1")
            return program("service-start", request)

        assert token() == "api-token"
        training = service(bench, "sft", **{labels.ACCELERATOR: "all"})
        api.kill("SIGKILL")
        bench.wait(lambda: status(api) == "exited")
        assert token() == "api-token"
        assert "it is stopped while a model trains" in wait_for_it()
        assert status(api) == "exited"
        # With nobody training, it is simply not there.
        training.stop(timeout=0)
        assert token() != "api-token"

    def test_work_that_is_there_frees_nothing(self, bench: Bench, server: Any, api: Any):
        bench.shell("mkdir -p /app/output/runs/f1")
        words = self.converge(bench)
        assert (status(api), run(server, "cat", "/loaded")) == ("running", LOADED)
        assert "api" not in words

    def test_an_api_whose_run_ended_unseen_is_started(self, bench: Bench, api: Any):
        bench.shell("mkdir -p /app/output/runs/f1")
        api.stop(timeout=0)
        assert f"{api.name} starts again" in self.converge(bench)
        assert status(api) == "running"
