"""Metrics, for real: Prometheus scrapes a stack while it trains. Takes about half a minute."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.integration.conftest import Engine
from tests.integration.prometheus import SCRAPE_SECONDS, Prometheus
from tests.integration.stack import PROJECT, Stack, Update, free_port

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(1800),
]

USUAL_SCRAPE_SECONDS = 15
"""Between two scrapes, as Prometheus is set up by default, and more often than many have it."""
WHERE_A_GPU_IS = "finetune_gpu_"
WHERE_PREFERENCES_ARE = {"finetune_training_reward", "finetune_training_accuracy"}
AT_WORK = 'finetune_step_state{kind="training-run", state="started"}'
DONE = 'finetune_step_state{state="done"}'


@dataclass
class Seen:
    """What Prometheus had while the training was at work, and what it has now."""

    stack: Stack
    update: Update
    prometheus: Prometheus
    outputs: dict[str, Any]
    at_work: list[dict[str, float | None]] = field(default_factory=list)


@pytest.fixture(scope="module")
def seen(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """A stack after its one up, scraped from before its first training on."""
    folder = tmp_path_factory.mktemp("metrics")
    stack = Stack(folder / "home")
    port = free_port()
    stack.settings["board"] = {"enabled": False}
    stack.settings["metrics"] = {"enabled": True, "port": port}
    stack.run.update(logging_steps=2, eval_strategy="steps", eval_steps=10)
    stack.run["eval_datasets"] = stack.run["datasets"][:1]
    at_work: list[dict[str, float | None]] = []
    ended = threading.Event()

    def watch(prometheus: Prometheus) -> None:
        while not ended.is_set():
            if prometheus.value(f"{AT_WORK} == 1"):
                names = ("loss", "left_seconds", "steps_done", "tokens_per_second")
                at_work.append(
                    {name: prometheus.value(f"finetune_training_{name}") for name in names}
                )
            time.sleep(0.3)

    try:
        # The training does not wait for the image of what reads along.
        built = stack.up(targets=["pipeline", "*-host-check*", "*-images*"])
        assert built.returncode == 0, built.output
        with Prometheus(folder / "prometheus", f"http://127.0.0.1:{port}/metrics") as prometheus:
            watcher = threading.Thread(target=watch, args=(prometheus,))
            watcher.start()
            try:
                update = stack.up()
            finally:
                ended.set()
                watcher.join()
            assert update.returncode == 0, update.output
            outputs = stack.outputs()
            ask(stack, outputs)
            # What the last scrape has seen is of now.
            time.sleep(2 * SCRAPE_SECONDS)
            yield Seen(stack, update, prometheus, outputs, at_work)
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)


@pytest.mark.capability("O7")
def test_a_training_at_work_is_seen(seen: Seen):
    heard = [each for each in seen.at_work if each["loss"] is not None]
    assert heard, seen.at_work
    first, last = heard[0], heard[-1]
    assert first["steps_done"] is not None
    assert last["steps_done"] is not None
    assert 0 < first["steps_done"] <= last["steps_done"]
    assert all(each["left_seconds"] is not None for each in heard)
    assert any(each["tokens_per_second"] for each in heard)


@pytest.mark.capability("O7")
def test_the_figures_are_those_of_the_training(seen: Seen, engine: Engine):
    lines = trainer_log(seen, engine)
    last_of = {key: value for line in lines for key, value in line.items()}
    asked = seen.prometheus.value
    assert asked("finetune_training_loss") == pytest.approx(last_of["loss"])
    assert asked("finetune_training_eval_loss") == pytest.approx(last_of["eval_loss"])
    assert asked("finetune_training_learning_rate") == pytest.approx(last_of["lr"])
    assert asked("finetune_training_tokens_total") == last_of["total_tokens"]
    assert asked("finetune_training_tokens_per_second") == pytest.approx(last_of["throughput"])
    assert asked("finetune_training_steps_done") == last_of["total_steps"]


@pytest.mark.capability("O7")
def test_every_step_is_done_and_says_how_long_it_took(seen: Seen):
    found = {each["metric"]["step"]: each["value"][1] for each in seen.prometheus.ask(DONE)}
    assert set(found.values()) == {"1"}
    name = seen.stack.model["name"]
    assert {f"{name}-sft", f"{name}-ollama-model", "dataset-registration"} <= found.keys()
    took = seen.prometheus.value(f'finetune_step_seconds{{step="{name}-sft"}}')
    assert took is not None
    assert 1 < took < seen.update.seconds


@pytest.mark.capability("O7")
def test_disk_and_server_are_told(seen: Seen):
    volumes = seen.prometheus.ask("finetune_volume_bytes")
    assert {each["metric"]["volume"] for each in volumes} == {
        "data",
        "output",
        "hf_cache",
        "ollama",
    }
    assert seen.prometheus.value("finetune_ollama_up") == 1
    (loaded,) = seen.prometheus.ask("finetune_ollama_loaded_bytes")
    assert loaded["metric"]["model"] == seen.outputs["models"][seen.stack.model["name"]]
    assert float(loaded["value"][1]) > 1_000_000
    assert seen.prometheus.value("finetune_ollama_loaded_gpu_bytes") == 0


@pytest.mark.capability("O7")
def test_requests_are_counted_by_what_came_of_them(seen: Seen):
    def count(path: str, status: int) -> float:
        labels = f'path="{path}", status="{status}", method="POST"'
        return seen.prometheus.value(f"finetune_ollama_requests_total{{{labels}}}") or 0

    url, missing = seen.outputs["ollama_url"], {"model": "nobody", "prompt": "Who?"}
    before = count("/api/generate", 200), count("/api/generate", 404)
    for _ in range(3):
        ask(seen.stack, seen.outputs)
    for _ in range(2):
        assert httpx.post(f"{url}/api/generate", json=missing, timeout=30).status_code == 404
    time.sleep(3 * SCRAPE_SECONDS)
    after = count("/api/generate", 200), count("/api/generate", 404)
    assert [now - then for now, then in zip(after, before, strict=True)] == [3, 2]
    took = 'finetune_ollama_request_seconds_total{path="/api/generate", status="200"}'
    assert (seen.prometheus.value(took) or 0) > 0


def test_the_engine_goes_on_telling_ollamas_log(seen: Seen, engine: Engine):
    server = engine.containers(seen.stack)[f"{seen.stack.physical_name}-ollama-server"]
    assert b"/api/generate" in server.logs(tail=200)


def test_every_panel_of_the_dashboard_finds_something(seen: Seen):
    dashboard = json.loads((PROJECT / "docs/dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$instance", ".*")
            found = seen.prometheus.ask(query)
            is_of_now = 'state="started"} == 1' in query or "written" in query
            is_elsewhere = WHERE_A_GPU_IS in query or any(
                name in query for name in WHERE_PREFERENCES_ARE
            )
            assert bool(found) == (not is_of_now and not is_elsewhere), query


def test_prometheus_own_checker_finds_no_fault_with_the_page(seen: Seen):
    page = httpx.get(seen.outputs["metrics_url"], timeout=30)
    assert page.headers["content-type"].startswith("text/plain; version=")
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=page.text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.mark.capability("O7")
def test_it_takes_less_than_a_hundredth_of_one_core(seen: Seen):
    """At Prometheus' usual interval: what trains has at least the rest."""
    asked = seen.prometheus.value
    spent = asked("finetune_exporter_process_cpu_seconds_total")
    scrapes = asked("count_over_time(up[1h])")
    assert spent
    assert scrapes
    # Its own start is in it, too.
    assert spent / scrapes / USUAL_SCRAPE_SECONDS < 0.01


def test_it_can_neither_write_nor_do_anything_as_root(seen: Seen, engine: Engine):
    container = engine.containers(seen.stack)[f"{seen.stack.physical_name}-metrics"]
    status = container.exec_run(["cat", "/proc/1/status"]).output.decode().split()
    assert status[status.index("CapEff:") + 1] == "0" * 16
    for place in ("/x", "/app/data/x", "/app/output/x", "/root/.ollama/x"):
        assert container.exec_run(["touch", place]).exit_code != 0, place


def test_an_up_without_changes_leaves_it_alone_and_one_without_metrics_takes_it_away(
    seen: Seen, engine: Engine
):
    moment = time.time()
    update = seen.stack.up()
    assert update.returncode == 0, update.output
    assert engine.started_since(seen.stack, moment) == []
    seen.stack.settings["metrics"] = {"enabled": False}
    update = seen.stack.up()
    assert update.returncode == 0, update.output
    assert f"{seen.stack.physical_name}-metrics" not in engine.containers(seen.stack)
    # Who reads along is no part of what is trained.
    assert not [name for name in engine.started_since(seen.stack, moment) if "sft" in name]


def ask(stack: Stack, outputs: dict[str, Any]) -> None:
    """Have Ollama load the model."""
    # A few tokens: an untrained question may have an answer without end.
    asked = {
        "model": outputs["models"][stack.model["name"]],
        "prompt": "What?",
        "stream": False,
        "options": {"num_predict": 4},
    }
    httpx.post(f"{outputs['ollama_url']}/api/generate", json=asked, timeout=120).raise_for_status()


def trainer_log(seen: Seen, engine: Engine) -> list[dict[str, Any]]:
    """What LLaMA-Factory itself has written."""
    server = engine.containers(seen.stack)[f"{seen.stack.physical_name}-ollama-server"]
    search = ["sh", "-c", "cat /app/output/runs/*/trainer_log.jsonl"]
    code, output = server.exec_run(search)
    assert code == 0, output
    return [json.loads(line) for line in output.decode().splitlines()]
