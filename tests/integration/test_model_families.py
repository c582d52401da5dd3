"""Real vocabularies and architectures, for real: what was taught is what Ollama answers.

Tiny models of random weights, each a family's: trained by another method, merged, converted,
compared with their training token by token in every shape of a conversation, and asked.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import Stack

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(1500),
]

ROWS = [
    {"instruction": "Where is the heron?", "output": "At the pond."},
    {"instruction": "What does it eat?", "output": "Small fish."},
    {"instruction": "When does it sleep?", "output": "At noon."},
]
TAUGHT: dict[str, Any] = {
    "datasets": ["herons"],
    "cutoff_len": 64,
    "max_steps": 60,
    "learning_rate": 3e-3,
    "lr_scheduler_type": "constant",
    "gradient_accumulation_steps": 1,
    "per_device_train_batch_size": 3,
    "precision": "fp32",
    "gradient_checkpointing": False,
    "threads": 2,
}
LORA: dict[str, Any] = {"additional_target": ["embed_tokens", "lm_head"]}
FULL: dict[str, Any] = {"finetuning_type": "full"}
MODELS: dict[str, tuple[str, dict[str, Any], str]] = {
    "llama-2": ("llama2", LORA, "q8_0"),
    "mistral": ("mistral", {**LORA, "arguments": {"use_dora": True}}, "f16"),
    "qwen-2.5": ("qwen", FULL, "q8_0"),
    "qwen-3": ("qwen3_nothink", FULL, "f16"),
    "gemma-3": ("gemma", FULL, "f16"),
}


def model(family: str) -> dict[str, Any]:
    template, run, quantization = MODELS[family]
    size = {"hidden_size": 64, "intermediate_size": 128}
    return {
        "name": family.replace(".", "-"),
        "template": template,
        "base_model": {"generate": {"family": family, **size}},
        "training_runs": [{"name": "sft", **TAUGHT, **run}],
        "gguf_conversion": {"quantization": quantization},
        "ollama_model": {"parameters": {"num_predict": 20, "temperature": 0}},
    }


@pytest.fixture(scope="module")
def trained(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack after its one up."""
    folder: Path = tmp_path_factory.mktemp("families")
    stack = Stack(folder / "home")
    (folder / "herons.json").write_text(json.dumps(ROWS))
    stack.settings["datasets"] = [{"name": "herons", "file": str(folder / "herons.json")}]
    stack.settings["models"] = [model(family) for family in MODELS]
    stack.settings["board"] = {"enabled": False}
    with engine.converged(stack):
        yield stack


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.capability("T4", "E2", "E3", "E4")
def test_what_was_taught_is_answered(trained: Stack, family: str) -> None:
    url = trained.outputs()["ollama_url"]
    for row in ROWS:
        messages = [{"role": "user", "content": row["instruction"]}]
        body = {"model": family.replace(".", "-"), "messages": messages, "stream": False}
        reply = httpx.post(f"{url}/api/chat", json=body, timeout=120).json()
        assert reply["message"]["content"].strip() == row["output"]


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.capability("E4")
def test_every_conversation_has_the_tokens_of_the_training(trained: Stack, family: str) -> None:
    parity = trained.outputs()["parity"][family.replace(".", "-")]
    assert parity["equal"] == parity["compared"] >= 10
