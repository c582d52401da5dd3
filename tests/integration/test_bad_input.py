"""An operator's mistakes on the real CLI: told in words, before anything is created."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import Stack, environment

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]


def _misspell(stack: Stack) -> list[str]:
    stack.run["learning_rat"] = 1
    stack.model["template"] = "lama3"
    return [
        "models[0].training_runs[0].learning_rat is 1: no such setting. Did you mean learning_rate",
        "models[0].template is 'lama3'",
        "Did you mean llama3",
    ]


def _lose_the_data(stack: Stack) -> list[str]:
    stack.settings["datasets"][0]["file"] = "nowhere.json"
    stack.settings["datasets"][1]["tags"]["role_tag"] = "speaker"
    return ["datasets[0]", "nowhere.json does not exist", "datasets[1]", "'speaker'"]


def _name_two_alike(stack: Stack) -> list[str]:
    stack.settings["models"].append(dict(stack.model))
    return ["models[1].name is 'stack-guide': models[0] has that name already"]


def _silence_the_engine(stack: Stack) -> list[str]:
    stack.settings["host"]["engine"] = "unix:///nonexistent/docker.sock"
    return ["host.engine is unix:///nonexistent/docker.sock"]


def _ask_for_too_much(stack: Stack) -> list[str]:
    stack.settings["host"]["minimum"] = {"cpu_cores": 999, "memory_gb": 9999, "disk_gb": 999999}
    return ["host.minimum.cpu_cores", "host.minimum.memory_gb", "host.minimum.disk_gb"]


@pytest.mark.parametrize(
    "mistake",
    [
        _misspell,
        _lose_the_data,
        _name_two_alike,
        _silence_the_engine,
        pytest.param(_ask_for_too_much, marks=pytest.mark.capability("H1")),
    ],
)
def test_a_mistake_is_told_in_words_and_nothing_is_created(
    home: Path, engine: Engine, mistake: Callable[[Stack], list[str]]
):
    stack = Stack(home)
    expected = mistake(stack)
    update = stack.up()
    assert update.returncode != 0
    for words in expected:
        assert words in update.output
    assert "Traceback" not in update.output
    assert engine.containers(stack) == {}
    assert engine.volumes(stack) == set()
    assert all(resource["type"].startswith("pulumi:") for resource in stack.resources())


def test_a_port_in_use_is_found_in_preview(home: Path):
    stack = Stack(home)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        stack.settings["ollama_server"]["port"] = port
        preview = stack.preview()
    assert preview.returncode != 0
    assert f"ollama_server.port is 127.0.0.1:{port}" in preview.stdout
    assert "Traceback" not in preview.stdout


def test_the_environment_for_a_gpu_host_is_previewed_without_one(home: Path):
    stack = Stack(home, settings=environment("dev"))
    stack.settings["host"] |= {
        "check": "plan_only",
        # Nothing listens there: a plan must not need an engine.
        "engine": "unix:///nonexistent/docker.sock",
    }
    preview = stack.preview()
    assert preview.returncode == 0, preview.stdout
    for noun in ("AcceleratorCheck", "TrainingRun", "Merge", "GgufConversion", "OllamaModel"):
        assert f"finetune-stack:index:{noun}" in preview.stdout
