"""The policy pack, run by the real CLI in a preview of a real stack. Takes about half a minute."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import PROJECT, Stack
from toolchain.offline.plugins.install import install_analyzer
from toolchain.policy_pack import pack

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(600)]

RULES = {
    "no-public-bind-without-authentication",
    "no-unpinned-image",
    "no-secret-in-settings",
    "output-is-retained",
    "evaluation-is-present",
}
TOKEN = "hf_" + "x" * 34
STRICT = PROJECT / "policy/examples/strict.json"


@pytest.fixture
def stack(engine: Engine, home: Path) -> Iterator[Stack]:
    """A stack that breaks every rule, and is a good stack otherwise."""
    made = Stack(home)
    made.settings["ollama_server"]["bind_address"] = "::"
    made.settings["images"] |= {"ollama": {"image": "example.org/ollama"}}
    made.model["ollama_model"]["system"] = f"You have {TOKEN}."
    python = PROJECT / ".venv/bin/python"
    install_analyzer(Path(os.environ["PULUMI_HOME"]), python)
    try:
        yield made
    finally:
        made.abandon()
        engine.remove_everything_of(made)


def judged(stack: Stack, levels: Mapping[str, Any] | Path) -> subprocess.CompletedProcess[str]:
    """A preview under the pack, with a team's levels."""
    file = levels
    if not isinstance(file, Path):
        file = stack.home / "levels.json"
        file.write_text(json.dumps(levels))
    policies = [
        "--policy-pack",
        str(PROJECT / pack(os.environ)),
        "--policy-pack-config",
        str(file),
    ]
    return stack.preview(*policies)


@pytest.mark.capability("O7")
def test_a_preview_tells_every_rule_that_is_broken_and_makes_nothing(stack: Stack, engine: Engine):
    preview = judged(stack, STRICT)
    assert preview.returncode != 0, preview.stdout
    for rule in RULES:
        assert f"[mandatory]  {rule}" in preview.stdout, preview.stdout
    assert "listens at :::" in preview.stdout
    assert "models[0].ollama_model.system holds a token" in preview.stdout
    assert TOKEN not in preview.stdout.partition("Policies:")[2]
    assert "pulls example.org/ollama," in preview.stdout
    assert engine.volumes(stack) == set()


@pytest.mark.capability("O7")
def test_a_team_chooses_what_stops_a_stack(stack: Stack):
    preview = judged(stack, {"all": "advisory", "evaluation-is-present": "disabled"})
    assert preview.returncode == 0, preview.stdout
    for rule in RULES - {"evaluation-is-present"}:
        assert f"[advisory]  {rule}" in preview.stdout, preview.stdout
    assert "evaluation-is-present" not in preview.stdout


@pytest.mark.capability("O7")
def test_a_stack_that_keeps_the_rules_passes_the_strictest(stack: Stack):
    stack.settings["ollama_server"]["bind_address"] = "127.0.0.1"
    stack.settings["images"]["ollama"] = {"image": "example.org/ollama:0.17.4"}
    stack.model["ollama_model"]["system"] = "You are helpful."
    stack.model["ollama_model"]["evaluation"] = {
        "rows": [{"prompt": "Who is asked?", "expect": "nobody"}],
        "measures": {"contains": {}},
    }
    stack.settings["volumes"] = {"output": {"retain": True}}
    preview = judged(stack, {"all": "mandatory"})
    assert preview.returncode == 0, preview.stdout
    assert "[mandatory]" not in preview.stdout
    assert "can't run policy" not in preview.stdout
