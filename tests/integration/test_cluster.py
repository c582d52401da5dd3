"""Two hosts that train one model together, each from a stack of its own (T8).

Both are this machine, and meet on its loopback. What is real: torchrun, the rendezvous, gradients
that go from one to the other, and a result on each. Takes about a minute.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import Stack, free_port

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(1200),
]

NODES = 2


@pytest.fixture(scope="module")
def hosts(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Stack]]:
    folder, port = tmp_path_factory.mktemp("cluster"), free_port()
    stacks = [Stack(folder / f"host-{rank}") for rank in range(NODES)]
    for rank, stack in enumerate(stacks):
        stack.settings["board"] = {"enabled": False}
        stack.settings["host"]["cluster"] = {
            "nodes": NODES,
            "rank": rank,
            "master_address": "127.0.0.1",
            "master_port": port,
        }
    try:
        yield stacks
    finally:
        for stack in stacks:
            stack.abandon()
            engine.remove_everything_of(stack)


@pytest.mark.capability("T8")
def test_hosts_that_go_up_at_the_same_time_train_together(hosts: list[Stack], engine: Engine):
    with ThreadPoolExecutor(NODES) as pool:
        updates = list(pool.map(Stack.up, hosts))
    for update in updates:
        assert update.returncode == 0, update.output
    weights = set()
    for stack in hosts:
        (given,) = stack.outputs()["smoke_answers"]
        assert stack.model["ollama_model"]["smoke_prompts"][0]["expect"] in given["answer"]
        server = engine.containers(stack)[f"{stack.physical_name}-ollama-server"]
        script = "sha256sum < $(ls /app/output/runs/*/adapter_model.safetensors)"
        weights.add(server.exec_run(["sh", "-ec", script]).output)
    # Not two trainings side by side: the same weights came out on both.
    assert len(weights) == 1


def test_a_second_up_changes_nothing(hosts: list[Stack]):
    for stack in hosts:
        update = stack.up()
        assert update.returncode == 0, update.output
        assert update.changes.keys() == {"same"}
