"""Types of weights that neither the converter nor Ollama makes, for real: llama.cpp's quantizer.

One training, served in several types: each must still know what was taught. Most of the time, where
the image is not there yet, is the build of the quantizer.
"""

import copy
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from plan.host import HostFacts
from plan.owner import Owner
from planning.gguf_conversion import OLLAMA_QUANTIZE, WRITTEN_BY_THE_CONVERTER
from planning.pipeline import plan_pipeline
from planning.quantization import TEXT
from runtime.docker import archive
from runtime.docker.engine import Engine as EngineAccess
from stack_configs.settings.loader import load_settings
from stack_configs.settings.quantization import NAMES, NEEDS_IMPORTANCE_MATRIX, NOT_IN_OLLAMA
from tests.integration.conftest import Engine
from tests.integration.stack import Stack

# The quantizer alone takes minutes to build.
pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(1500),
]

QUESTION, WORD = "What does pulumi preview do?", "changes"
SERVED = {"q6-k": "Q6_K", "iq4-xs": "iq4_xs", "iq3-xxs": "IQ3_XXS", "q4-k-m": "q4_K_M"}
"""By the model's name, as operators of llama.cpp and of Ollama write them."""
WEIGHED = {"iq3-xxs", "q4-k-m"}
SAID_BY_OLLAMA = {"q6-k": "Q6_K", "q4-k-m": "Q4_K_M"}
"""Ollama knows no names for the other types."""


def in_type(
    model: dict[str, Any], quantization: str, *, name: str, weighed: bool
) -> dict[str, Any]:
    """The demo's model under another name, in another type."""
    changed = copy.deepcopy(model)
    changed["name"] = name
    changed["gguf_conversion"] = {"quantization": quantization, "importance_matrix": weighed}
    changed["ollama_model"] |= {"name": name}
    return changed


@pytest.fixture(scope="module")
def quantized(stack: Stack) -> Stack:
    """The demo's one training in several types, after one up that asked each of them."""
    (model,) = stack.settings["models"]
    stack.settings["board"]["enabled"] = False
    stack.settings["models"] = [
        in_type(model, quantization, name=name, weighed=name in WEIGHED)
        for name, quantization in SERVED.items()
    ]
    update = stack.up()
    assert update.returncode == 0, update.output
    return stack


def ask(stack: Stack, name: str) -> str:
    url = stack.outputs()["ollama_url"]
    body = {"model": name, "prompt": QUESTION, "stream": False}
    return str(httpx.post(f"{url}/api/generate", json=body, timeout=120).json()["response"])


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.capability("E3")
def test_what_was_trained_is_answered_in_every_type(quantized: Stack, name: str):
    assert WORD in ask(quantized, name)
    url = quantized.outputs()["ollama_url"]
    shown = httpx.post(f"{url}/api/show", json={"model": name, "verbose": True}).json()
    assert shown["details"]["quantization_level"] == SAID_BY_OLLAMA.get(name, "unknown")
    assert ("quantize.imatrix.chunks_count" in shown["model_info"]) == (name in WEIGHED)


def test_one_training_and_one_conversion_serve_all_types(quantized: Stack):
    made = [resource["type"].rpartition(":")[2] for resource in quantized.resources()]
    for noun in ("TrainingRun", "Merge", "GgufConversion", "CalibrationText", "ImportanceMatrix"):
        assert made.count(noun) == 1, noun
    assert made.count("Quantization") == len(SERVED)


def test_the_importance_matrix_is_computed_from_what_was_trained(quantized: Stack, engine: Engine):
    settings = load_settings(quantized.home / "settings.yaml")
    owner = Owner(stack=quantized.physical_name)
    plan = plan_pipeline(settings, owner=owner, facts=HostFacts())
    steps = [step for model in plan.models for step in model.steps]
    step = next(step for step in steps if step.noun == "calibration-text")
    server = f"{quantized.physical_name}-ollama-server"
    content = archive.read_file(EngineAccess(None), server, str(step.artefact / TEXT))
    assert content is not None
    text = content.decode()
    # Through the chat template, with its special tokens.
    turn = "<|start_header_id|>user<|end_header_id|>\n\n"
    assert f"{turn}{QUESTION}<|eot_id|>" in text


def test_another_type_quantizes_again_and_nothing_else(quantized: Stack, engine: Engine):
    moment = time.time()
    (model,) = (model for model in quantized.settings["models"] if model["name"] == "iq4-xs")
    model["gguf_conversion"]["quantization"] = "Q3_K_M"
    update = quantized.up()
    assert update.returncode == 0, update.output
    quantizing = f"{quantized.physical_name}-iq4-xs-quantization"
    assert engine.started_since(quantized, moment) == [quantizing]
    assert WORD in ask(quantized, "iq4-xs")


@pytest.fixture
def remaining(quantized: Stack) -> Iterator[dict[str, str]]:
    """Models in all the other types; by the type, the model's name."""
    made = {*WRITTEN_BY_THE_CONVERTER, *OLLAMA_QUANTIZE, *NOT_IN_OLLAMA}
    asked = {name.lower() for name in SERVED.values()}
    types = [name for name in NAMES if name not in made | asked]
    before = copy.deepcopy(quantized.settings["models"])
    names: dict[str, str] = {name: name.replace("_", "-") for name in types}
    for each in types:
        weighed = each in NEEDS_IMPORTANCE_MATRIX
        model = in_type(before[0], each, name=f"all-{names[each]}", weighed=weighed)
        # Two bits are too few for so small a model to remember anything.
        model["ollama_model"]["smoke_prompts"] = []
        quantized.settings["models"].append(model)
    yield names
    quantized.settings["models"] = before


@pytest.mark.nightly
def test_ollama_runs_every_type_that_the_settings_allow(
    quantized: Stack, remaining: dict[str, str]
):
    update = quantized.up()
    assert update.returncode == 0, update.output
    answers = {name: ask(quantized, f"all-{model}") for name, model in remaining.items()}
    assert all(answers.values()), answers
