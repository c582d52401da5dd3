"""Every stage and method of LLaMA-Factory, for real: two steps each, then served (T3, T4, E3).

Two models: a chain of LoRA runs over all stages, which ends in one adapter that is merged, and a
model tuned freeze and then full, which needs no merge. The chain is also served before its merge,
by the OpenAI-style API (E1). Takes about two minutes.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import PROJECT, Stack, free_port

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]

ROWS = json.loads((PROJECT / "stack_configs/data/stack_questions.json").read_text())
DATA: dict[str, list[dict[str, Any]]] = {
    "texts": [{"text": f"{row['instruction']} {row['output']}"} for row in ROWS],
    "answers": ROWS,
    "ranked": [
        {"instruction": row["instruction"], "chosen": row["output"], "rejected": "No."}
        for row in ROWS
    ],
    "judged": [row | {"good": index % 2 == 0} for index, row in enumerate(ROWS)],
}
LAYOUT: dict[str, dict[str, Any]] = {
    "texts": {"columns": {"prompt": "text"}},
    "ranked": {"ranking": True},
    "judged": {"columns": {"kto_tag": "good"}},
}
LORA = {
    "pt": {"stage": "pt", "datasets": ["texts"]},
    "sft": {"stage": "sft", "datasets": ["answers"]},
    "judge": {"stage": "rm", "datasets": ["ranked"]},
    "ppo": {"stage": "ppo", "datasets": ["answers"], "reward_model": "judge"},
    "dpo": {"stage": "dpo", "datasets": ["ranked"]},
    "kto": {"stage": "kto", "datasets": ["judged"]},
}
WHOLE = {
    "freeze": {"finetuning_type": "freeze", "datasets": ["answers"]},
    "full": {"finetuning_type": "full", "datasets": ["answers"]},
}
SMALL = {
    "cutoff_len": 64,
    "max_steps": 2,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "precision": "fp32",
    "gradient_checkpointing": False,
    "logging_steps": 1,
    "threads": 1,
}


def model(name: str, runs: dict[str, dict[str, Any]], quantization: str) -> dict[str, Any]:
    return {
        "name": name,
        "template": "llama3",
        # Blocks of 256 weights are the least that Q4_K_M can do with.
        "base_model": {"generate": {"hidden_size": 256, "intermediate_size": 256}},
        "training_runs": [{"name": key, **SMALL, **run} for key, run in runs.items()],
        "gguf_conversion": {"quantization": quantization},
        "ollama_model": {"parameters": {"num_predict": 4}},
    }


@pytest.fixture(scope="module")
def trained(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack after its one up."""
    folder: Path = tmp_path_factory.mktemp("stages")
    stack = Stack(folder / "home")
    for name, rows in DATA.items():
        (folder / f"{name}.json").write_text(json.dumps(rows))
    stack.settings["datasets"] = [
        {"name": name, "file": str(folder / f"{name}.json"), **LAYOUT.get(name, {})}
        for name in DATA
    ]
    stack.settings["models"] = [
        model("chain", LORA, "q8_0"),
        model("whole", WHOLE, "q4_k_m"),
    ]
    stack.settings["board"] = {"enabled": False}
    stack.settings["api"] = {"enabled": True, "port": free_port(), "model": "chain"}
    try:
        update = stack.up()
        assert update.returncode == 0, update.output
        yield stack
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)


@pytest.mark.parametrize("run", [f"chain-{name}" for name in LORA if name != "ppo"])
@pytest.mark.capability("T3")
def test_every_stage_trains(trained: Stack, run: str):
    results = trained.outputs()["training_results"][run]
    assert results["train_loss"] > 0


@pytest.mark.parametrize("run", ["whole-freeze", "whole-full"])
@pytest.mark.capability("T4")
def test_every_method_trains(trained: Stack, run: str):
    assert trained.outputs()["training_results"][run]["train_loss"] > 0


@pytest.mark.capability("T3")
def test_each_run_went_on_from_the_one_before(trained: Stack, engine: Engine):
    server = engine.containers(trained)[f"{trained.physical_name}-ollama-server"]
    found = server.exec_run(["sh", "-c", "ls /app/output/runs/*"]).output.decode()
    # Six adapters, the judge's among them; two whole models, two bases and one merge.
    assert found.count("adapter_model.safetensors") == len(LORA)
    assert found.count("train.yaml") == len(LORA) + len(WHOLE)
    assert found.count("model.gguf") == 2


@pytest.mark.parametrize(("name", "quantization"), [("chain", "Q8_0"), ("whole", "Q4_K_M")])
@pytest.mark.capability("E3", "E5")
def test_what_was_trained_is_quantized_and_served(trained: Stack, name: str, quantization: str):
    url = trained.outputs()["ollama_url"]
    shown = httpx.post(f"{url}/api/show", json={"model": name}).json()
    assert shown["details"]["quantization_level"] == quantization
    question = {"model": name, "prompt": ROWS[0]["instruction"], "stream": False}
    reply = httpx.post(f"{url}/api/generate", json=question, timeout=120)
    assert reply.status_code == 200, reply.text
    assert reply.json()["done"]


@pytest.mark.capability("E1")
def test_the_api_serves_the_adapter_before_its_merge(trained: Stack):
    url = trained.outputs()["api_url"]
    assert [model["id"] for model in httpx.get(f"{url}/models").json()["data"]] == ["chain"]
    reply = httpx.post(
        f"{url}/chat/completions",
        json={
            "model": "chain",
            "messages": [{"role": "user", "content": ROWS[0]["instruction"]}],
            "max_tokens": 4,
        },
        timeout=120,
    )
    assert reply.status_code == 200, reply.text
    assert reply.json()["choices"][0]["message"]["role"] == "assistant"


def test_a_second_up_changes_nothing(trained: Stack):
    update = trained.up()
    assert update.returncode == 0, update.output
    assert update.changes.keys() == {"same"}
