"""`__main__.py` under mocks: settings become exports, an operator's mistake a sentence."""

import runpy
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks, set_all_config

from tests.components.conftest import Engine, Host, host

__all__ = ["host"]

PROJECT = Path(__file__).parents[1]
DATA = PROJECT / "stack_configs/data"


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "export", found.__setitem__)
    return found


def run_program(engine: Engine, stack_config: str) -> None:
    mocks.set_mocks(engine, project="finetune-stack", stack="test", preview=False)
    set_all_config({"finetune-stack:stack_config": stack_config})

    @pulumi.runtime.test
    def program() -> None:
        runpy.run_path(str(PROJECT / "__main__.py"), run_name="__main__")

    program()


@pytest.mark.parametrize("environment", ["demo", "dev"])
def test_each_environment_of_the_project_deploys(
    environment: str, host: Host, exports: dict[str, Any]
):
    engine = Engine()
    run_program(engine, environment)
    assert exports.keys() == {
        "ollama_url",
        "board_url",
        "api_url",
        "accelerators",
        "models",
        "smoke_answers",
        "training_results",
        "volumes",
    }
    assert len(engine.registered) > 10


def test_an_unknown_environment_is_an_error_in_words(exports: dict[str, Any]):
    engine = Engine()
    with pytest.raises(pulumi.RunError) as caught:
        run_program(engine, "nowhere")
    assert "Choose one of: demo, dev" in str(caught.value)
    assert engine.registered == []


def test_nothing_is_registered_on_a_host_with_problems(host: Host, exports: dict[str, Any]):
    engine = Engine()
    problem = {"key": "board.port", "value": "7860", "rule": "in use", "way_out": "Choose another"}
    host.has_problems(problem)
    with pytest.raises(pulumi.RunError) as caught:
        run_program(engine, "demo")
    assert "board.port is 7860: in use. Choose another." in str(caught.value)
    assert engine.registered == []


def test_what_holds_a_training_back_is_a_warning(
    host: Host, exports: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    text = (PROJECT / "stack_configs/dev.yaml").read_text().replace("file: data", f"file: {DATA}")
    (tmp_path / "slow.yaml").write_text(text.replace("precision: bf16", "precision: fp32"))
    run_program(Engine(), str(tmp_path / "slow.yaml"))
    (warning,) = said
    assert warning.startswith("models[0].training_runs[0].precision is 'fp32'")


def test_what_only_a_container_saw_is_a_warning_too(
    host: Host, exports: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    text = (PROJECT / "stack_configs/dev.yaml").read_text().replace("file: data", f"file: {DATA}")
    text = text.replace("    memory_gb: 24\n", "").replace("Llama-3-8B", "Llama-3-70B")
    (tmp_path / "large.yaml").write_text(text)
    run_program(Engine(), str(tmp_path / "large.yaml"))
    (warning,) = said
    assert "it needs about 160 GB on each GPU, and the smallest GPU has 24 GB" in warning


def test_the_program_stays_short():
    assert len((PROJECT / "__main__.py").read_text().splitlines()) < 60
