"""Trackers, for real: TensorBoard on event files, W&B and SwanLab without a network, MLflow.

What a run reports to must train nothing again. Takes about a minute.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import Stack, free_port

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(1800),
]

TOKEN = "hush-hush-token"
MLFLOW_PORT = 5000
MLFLOW_SECONDS = 600
MLFLOW = (
    "pip install --quiet mlflow==3.17.2 && "
    f"exec mlflow server --host 0.0.0.0 --port {MLFLOW_PORT} --allowed-hosts '*' "
    "--backend-store-uri sqlite:////tmp/mlflow.db --artifacts-destination /tmp/artifacts"
)


@pytest.fixture(scope="module")
def tracked(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack after its one up, whose run reports to all that keep files."""
    stack = Stack(tmp_path_factory.mktemp("trackers") / "home")
    stack.settings["board"] = {"enabled": False}
    stack.settings["tensorboard"] = {"enabled": True, "port": free_port()}
    stack.settings["trackers"] = {"offline": True}
    stack.run.update(report_to=["tensorboard", "wandb", "swanlab"], logging_steps=5)
    with engine.converged(stack):
        yield stack


def files(engine: Engine, stack: Stack, pattern: str) -> dict[str, int]:
    """Sizes of files below the trackers' folder of the output volume."""
    server = engine.containers(stack)[f"{stack.physical_name}-ollama-server"]
    search = ["find", "/app/output/trackers", "-path", pattern, "-type", "f", "-printf", "%p %s\n"]
    code, output = server.exec_run(search)
    assert code == 0, output
    lines = (line.rsplit(" ", 1) for line in output.decode().splitlines())
    return {path: int(size) for path, size in lines}


@pytest.mark.capability("T9")
def test_tensorboard_shows_what_the_run_wrote(tracked: Stack):
    url = tracked.outputs()["tensorboard_url"]
    shown: dict[str, Any] = {}
    deadline = time.monotonic() + 120
    while not shown and time.monotonic() < deadline:
        shown = httpx.get(f"{url}/data/plugin/scalars/tags", timeout=30).json()
    ((folder, tags),) = shown.items()
    assert folder.startswith(f"{tracked.model['name']}/{tracked.run.get('name', 'sft')}-")
    assert {"train/loss", "train/learning_rate"} <= tags.keys()
    asked = {"run": folder, "tag": "train/loss"}
    losses = httpx.get(f"{url}/data/plugin/scalars/scalars", params=asked, timeout=30).json()
    first, last = losses[0][2], losses[-1][2]
    assert 0 < last < first


@pytest.mark.parametrize(
    "pattern", ["*/trackers/wandb/offline-run-*/*.wandb", "*/trackers/swanlab/*run-*"]
)
@pytest.mark.capability("T9")
def test_trackers_without_a_network_leave_files(tracked: Stack, engine: Engine, pattern: str):
    found = files(engine, tracked, pattern)
    assert found
    assert max(found.values()) > 1000


@pytest.mark.capability("T9")
def test_another_tracker_trains_nothing_again(tracked: Stack, engine: Engine):
    tracked.run["report_to"] = ["tensorboard"]
    moment = time.time()
    update = tracked.up()
    assert update.returncode == 0, update.output
    assert not [name for name in engine.started_since(tracked, moment) if "sft" in name]


@pytest.mark.capability("T9")
def test_a_run_reports_to_an_mlflow_server(tracked: Stack, engine: Engine):
    tracked.settings["trackers"] = {
        "project": "tracked",
        "mlflow_url": f"http://{tracked.physical_name}-mlflow:{MLFLOW_PORT}",
    }
    tracked.run.update(report_to=["mlflow"], seed=7)
    image = engine.containers(tracked)[f"{tracked.physical_name}-tensorboard"].image
    server = engine.client.containers.run(
        image,
        ["sh", "-c", MLFLOW],
        name=f"{tracked.physical_name}-mlflow",
        network=f"{tracked.physical_name}-network",
        detach=True,
    )
    try:
        url = wait_for_server(server)
        tracked.set_secret("mlflow_token", TOKEN)
        update = tracked.up()
        assert update.returncode == 0, update.output
        assert TOKEN not in update.output + json.dumps(tracked.resources())
        asked = {"experiment_name": "tracked"}
        experiment = httpx.get(f"{url}/experiments/get-by-name", params=asked).json()["experiment"]
        found = httpx.post(
            f"{url}/runs/search", json={"experiment_ids": [experiment["experiment_id"]]}
        ).json()
        (run,) = found["runs"]
        metrics = {each["key"]: each["value"] for each in run["data"]["metrics"]}
        assert run["info"]["status"] == "FINISHED"
        assert run["info"]["run_name"] == f"{tracked.model['name']}-sft"
        assert metrics["train_loss"] > 0
    finally:
        server.remove(force=True)


def wait_for_server(server: Any) -> str:
    """Base URL of MLflow's REST API, once it answers."""
    deadline = time.monotonic() + MLFLOW_SECONDS
    while time.monotonic() < deadline:
        server.reload()
        assert server.status == "running", server.logs(tail=30).decode()
        (network,) = server.attrs["NetworkSettings"]["Networks"].values()
        base = f"http://{network['IPAddress']}:{MLFLOW_PORT}"
        try:
            if httpx.get(f"{base}/health", timeout=5).is_success:
                return f"{base}/api/2.0/mlflow"
        except httpx.HTTPError:
            time.sleep(1)
    raise AssertionError(server.logs(tail=30).decode())
