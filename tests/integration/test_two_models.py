"""One failing model stops nobody else (T2). Takes about half a minute."""

import copy
from pathlib import Path

import httpx
import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import Stack

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]


def test_a_model_is_served_though_its_neighbour_failed(home: Path, engine: Engine):
    stack = Stack(home)
    # As `make up` does; by hand it is `pulumi up --continue-on-error`.
    stack.environment["PULUMI_CONTINUE_ON_ERROR"] = "true"
    stack.settings["board"] = {"enabled": False}
    broken = copy.deepcopy(stack.model)
    broken["name"] = "broken"
    broken["training_runs"][0]["lora_target"] = "no_such_module"
    stack.settings["models"].insert(0, broken)
    try:
        update = stack.up()
        assert update.returncode != 0
        assert "training_runs[].lora_target" in update.output
        port = stack.settings["ollama_server"]["port"]
        listed = httpx.get(f"http://127.0.0.1:{port}/api/tags", timeout=30).json()
        assert [model["name"] for model in listed["models"]] == ["stack-guide:latest"]
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)
