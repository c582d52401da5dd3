"""What is no input of a training starts no training: every kind of transport at once (F8).

Another package index builds the images anew, which is most of the time: about four minutes.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import Stack, free_port

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1500)]

SERVICES = ("ollama-server", "board")


@pytest.fixture(scope="module")
def trained(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("transport") / "home")
    stack.settings["host"]["minimum"] = {"cpu_cores": 1, "memory_gb": 1, "disk_gb": 1}
    with engine.converged(stack):
        yield stack


def bookkeeping(stack: Stack) -> None:
    stack.run.update(logging_steps=2, save_steps=30, save_total_limit=1)
    stack.run.update(threads=2, deadline_hours=5)


def names(stack: Stack) -> None:
    stack.run["name"] = "lesson"
    stack.model["name"] = "handbook"
    stack.model["ollama_model"]["name"] = "stack-guide"


def services(stack: Stack) -> None:
    stack.settings["ollama_server"]["port"] = free_port()
    stack.settings["board"] = {"enabled": False}


def host(stack: Stack) -> None:
    stack.settings["host"]["minimum"] = {"cpu_cores": 2, "memory_gb": 2, "disk_gb": 2}
    del stack.settings["host"]["shm_size_gb"]
    stack.settings["host"]["ipc"] = "host"
    stack.settings["host"]["limits"] = {"memory_gb": 6, "processes": 2048}


def neighbour(stack: Stack) -> None:
    """Another model of the same stack, served from the same training."""
    twin = {**stack.model, "name": "twin", "ollama_model": {"name": "twin"}}
    stack.settings["models"].append(twin)


def package_index(stack: Stack) -> None:
    stack.settings["images"]["mirrors"] = {"python_index": "https://pypi.org/simple/"}


@pytest.mark.parametrize(
    "change",
    [
        bookkeeping,
        names,
        services,
        host,
        neighbour,
        pytest.param(package_index, marks=[pytest.mark.capability("F8"), pytest.mark.nightly]),
    ],
)
def test_no_step_starts(trained: Stack, engine: Engine, change: Callable[[Stack], None]):
    moment = time.time()
    change(trained)
    update = trained.up()
    assert update.returncode == 0, update.output
    started = engine.started_since(trained, moment)
    assert [name for name in started if not name.endswith(SERVICES)] == []
    settled = trained.up()
    assert settled.changes.keys() == {"same"}, settled.output


def test_a_real_input_trains(trained: Stack, engine: Engine, tmp_path: Path):
    moment = time.time()
    # Beside other tests, more threads than cores wait for each other.
    trained.run.update(seed=7, threads=1)
    update = trained.up()
    assert update.returncode == 0, update.output
    assert f"{trained.physical_name}-handbook-lesson" in engine.started_since(trained, moment)
