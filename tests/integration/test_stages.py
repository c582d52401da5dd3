"""Every stage and method of LLaMA-Factory, for real: what was taught is what Ollama answers.

Four models, each of another template: a graph of LoRA runs over all stages, in which one teaches
and no other on the way to what is served may spoil it; models tuned full and freeze, which need no
merge; and one with tokens, positions and a system text of its own. The graph is also served by the
OpenAI-style API. Takes about two minutes.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from plan.host import HostFacts
from plan.owner import Owner
from plan.pipeline import PipelinePlan
from plan.step import ContainerStepPlan
from planning.base_model import render_parameters
from planning.pipeline import plan_pipeline
from planning.special_tokens import special_tokens
from runtime.docker.archive import tar_stream
from stack_configs.settings.base_model import GeneratedModelSettings
from stack_configs.settings.chat_templates import TRAINING_TEMPLATES, ChatTemplate
from stack_configs.settings.loader import load_settings
from tests.integration.conftest import Engine
from tests.integration.stack import PROJECT, Stack, free_port

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]

# One question of the file has two answers.
ROWS = [
    row
    for row in json.loads((PROJECT / "stack_configs/data/stack_questions.json").read_text())
    if "port" not in row["instruction"]
]
NOTE = "<|note|>"
TRAINED = ("llama3", "chatml", "mistral", "gemma2", "phi4", "qwen3", "glm4", "llama2", "seed_oss")
"""Templates that a run of two steps is tried with; all others differ from one of these in words."""
DATA: dict[str, list[dict[str, Any]]] = {
    "texts": [{"text": f"{row['instruction']} {row['output']}"} for row in ROWS],
    "answers": ROWS,
    "notes": [row | {"output": f"{NOTE}{row['output']}"} for row in ROWS],
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
SMALL: dict[str, Any] = {
    "cutoff_len": 64,
    "max_steps": 2,
    "learning_rate": 1e-5,
    "lr_scheduler_type": "constant",
    "gradient_accumulation_steps": 1,
    "per_device_train_batch_size": 2,
    "precision": "fp32",
    "gradient_checkpointing": False,
    "logging_steps": 1,
    "threads": 1,
}
TAUGHT = {
    "datasets": ["answers"],
    "max_steps": 60,
    "learning_rate": 3e-3,
    "per_device_train_batch_size": 8,
}
"""What a method needs to learn the answers by heart."""

EMBEDDING = {"additional_target": ["embed_tokens", "lm_head"]}
"""Random weights learn nothing while these are frozen."""

Runs = dict[str, dict[str, Any]]

CHAIN: Runs = {
    "pt": {"stage": "pt", "datasets": ["texts"], **EMBEDDING},
    "sft": {**TAUGHT, **EMBEDDING},
    "judge": {"stage": "rm", "datasets": ["ranked"]},
    "ppo": {"stage": "ppo", "datasets": ["answers"], "reward_model": "judge"},
    "dpo": {"stage": "dpo", "datasets": ["ranked"], "starts_from": "sft"},
    "kto": {"stage": "kto", "datasets": ["judged"], "starts_from": "ppo"},
    # The last one, which would be served if no other were named, has learnt nothing.
    "bare": {"datasets": ["answers"], "starts_from": "base-model"},
}
SERVED_RUN = {"chain": "kto"}
NEW_TOKEN = {"resize_vocab": True, "add_special_tokens": NOTE}
FULL: Runs = {
    "sft": {"finetuning_type": "full", **TAUGHT, "datasets": ["notes"], "arguments": NEW_TOKEN},
    "dpo": {"finetuning_type": "full", "stage": "dpo", "datasets": ["ranked"]},
}
FROZEN: Runs = {
    "freeze": {
        "finetuning_type": "freeze",
        **TAUGHT,
        "arguments": {"freeze_trainable_layers": 2, "freeze_extra_modules": "embed_tokens,lm_head"},
    }
}
SYSTEM = "You know this stack."
NOTED: Runs = {
    "sft": {
        **TAUGHT,
        "datasets": ["notes"],
        # The generated model reads 2048 tokens: for more, its positions are scaled.
        "cutoff_len": 4096,
        "arguments": {**NEW_TOKEN, "rope_scaling": "linear", "default_system": SYSTEM},
    }
}
MODELS: dict[str, tuple[ChatTemplate, Runs, str]] = {
    "chain": ("llama3", CHAIN, "q8_0"),
    "full": ("chatml", FULL, "f16"),
    # Blocks of 256 weights are the least that Q4_K_M can do with.
    "frozen": ("gemma", FROZEN, "q4_k_m"),
    "noted": ("qwen", NOTED, "f16"),
}


def model(name: str) -> dict[str, Any]:
    template, runs, quantization = MODELS[name]
    return {
        "name": name,
        "template": template,
        "base_model": {"generate": {"hidden_size": 256, "intermediate_size": 256}},
        "served_run": SERVED_RUN.get(name),
        "training_runs": [{"name": key, **SMALL, **run} for key, run in runs.items()],
        "gguf_conversion": {"quantization": quantization},
        "ollama_model": {"parameters": {"num_predict": 40, "temperature": 0}},
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
    stack.settings["models"] = [model(name) for name in MODELS]
    stack.settings["board"] = {"enabled": False}
    stack.settings["api"] = {"enabled": True, "port": free_port(), "model": "chain"}
    try:
        update = stack.up()
        assert update.returncode == 0, update.output
        assert "still to train: chain, dpo: 2 steps of 2 rows" in update.output
        yield stack
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)


@pytest.fixture(scope="module")
def plan(trained: Stack) -> PipelinePlan:
    settings = load_settings(trained.home / "settings.yaml")
    return plan_pipeline(settings, owner=Owner(stack=trained.physical_name), facts=HostFacts())


def step(plan: PipelinePlan, name: str) -> ContainerStepPlan:
    """A step by model and run."""
    (found,) = (step for step in plan.container_steps if step.name == f"{plan.stack}-{name}")
    return found


def read(trained: Stack, engine: Engine, path: Any) -> str:
    """A file of the output volume."""
    server = engine.containers(trained)[f"{trained.physical_name}-ollama-server"]
    code, output = server.exec_run(["cat", str(path)])
    assert code == 0, output
    return str(output.decode())


def ask(trained: Stack, name: str, row: dict[str, Any]) -> str:
    """Ollama's answer to a question of the data."""
    reply = httpx.post(
        f"{trained.outputs()['ollama_url']}/api/chat",
        json={
            "model": name,
            "messages": [{"role": "user", "content": row["instruction"]}],
            "stream": False,
        },
        timeout=120,
    )
    assert reply.status_code == 200, reply.text
    return str(reply.json()["message"]["content"]).strip()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("chain", "answers"),
        ("full", "notes"),
        ("frozen", "answers"),
        ("noted", "notes"),
    ],
)
@pytest.mark.capability("T3", "T4", "E2", "E4")
def test_what_was_taught_is_answered(trained: Stack, name: str, data: str):
    for row in DATA[data]:
        assert ask(trained, name, row) == row["output"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.capability("E4")
def test_a_conversation_begins_as_in_training(trained: Stack, name: str):
    question = {
        "model": name,
        "prompt": ROWS[0]["instruction"],
        "stream": False,
        "options": {"num_predict": 1},
    }
    url = trained.outputs()["ollama_url"]
    reply = httpx.post(f"{url}/api/generate", json=question, timeout=120).json()
    # The context leaves out the token that begins a sequence, and the counts do not.
    begins = reply["prompt_eval_count"] + reply["eval_count"] - len(reply["context"])
    assert begins == special_tokens(MODELS[name][0]).writes_begin


@pytest.mark.capability("E4")
def test_the_system_text_of_the_training_is_the_served_models(trained: Stack):
    url = trained.outputs()["ollama_url"]
    shown = httpx.post(f"{url}/api/show", json={"model": "noted"}).json()
    assert shown["system"] == SYSTEM


@pytest.mark.capability("E2")
def test_the_merge_scales_positions_as_training_did(
    trained: Stack, engine: Engine, plan: PipelinePlan
):
    artefact = step(plan, "noted-merge").artefact
    config = json.loads(read(trained, engine, artefact / "config.json"))
    assert config["max_position_embeddings"] == 4096
    assert config["rope_parameters"]["factor"] == 2.0


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("chain-dpo", math.log(2)),
        ("full-dpo", math.log(2)),
        # Half of what the value function of KTO can reach: no answer is better than another yet.
        ("chain-kto", 0.5),
    ],
)
@pytest.mark.capability("T3")
def test_a_run_starts_as_its_own_reference(
    trained: Stack, engine: Engine, plan: PipelinePlan, name: str, loss: float
):
    log = step(plan, name).artefact / "trainer_log.jsonl"
    first = read(trained, engine, log).splitlines()[0]
    assert json.loads(first)["loss"] == pytest.approx(loss, abs=0.01)


@pytest.mark.parametrize(
    ("run", "start"),
    [
        ("judge", "sft-merge"),
        ("ppo", "sft-merge"),
        ("dpo", "sft-merge"),
        ("kto", "ppo-merge"),
        ("bare", "base-model"),
    ],
)
@pytest.mark.capability("T3")
def test_a_run_goes_on_from_the_one_that_it_names(
    trained: Stack, engine: Engine, plan: PipelinePlan, run: str, start: str
):
    told = yaml.safe_load(read(trained, engine, step(plan, f"chain-{run}").artefact / "train.yaml"))
    assert told["model_name_or_path"] == str(step(plan, f"chain-{start}").artefact)
    assert "adapter_name_or_path" not in told


def test_every_run_has_its_figures(trained: Stack):
    results = trained.outputs()["training_results"]
    runs = {f"{name}-{run}" for name, (_, runs, _) in MODELS.items() for run in runs}
    forecast = trained.outputs()["forecast"]
    assert results.keys() == forecast.keys() == runs
    told = {
        f"{name}-{run}": own for name, (_, every, _) in MODELS.items() for run, own in every.items()
    }
    for run, own in told.items():
        assert forecast[run]["steps"] == own.get("max_steps", SMALL["max_steps"])
    # PPO writes no summary.
    assert all(results[run]["train_loss"] > 0 for run in runs - {"chain-ppo"})


@pytest.mark.parametrize(("name", "quantization"), [("chain", "Q8_0"), ("frozen", "Q4_K_M")])
@pytest.mark.capability("E3", "E5")
def test_what_was_trained_is_quantized(trained: Stack, name: str, quantization: str):
    url = trained.outputs()["ollama_url"]
    shown = httpx.post(f"{url}/api/show", json={"model": name}).json()
    assert shown["details"]["quantization_level"] == quantization


@pytest.mark.nightly
@pytest.mark.capability("T2")
def test_every_template_fits_the_model_that_is_generated_for_it(engine: Engine, plan: PipelinePlan):
    """LLaMA-Factory's own templates say what the planner's table must hold, and can train."""
    files = {
        "tiny_model.py": (PROJECT / "in_container/tiny_model.py").read_bytes(),
        "every_template.py": (Path(__file__).parent / "every_template.py").read_bytes(),
        "answers.json": json.dumps(ROWS).encode(),
    }
    size = {"hidden_size": 64, "intermediate_size": 64, "layers": 1, "attention_heads": 2}
    templates = [name for name, row in TRAINING_TEMPLATES.items() if not row.reads_media]
    for name in templates:
        parameters = render_parameters(GeneratedModelSettings.model_validate(size), name)
        files[f"{name}/parameters.json"] = parameters.encode()
    container = engine.client.containers.create(
        plan.images.llamafactory.reference,
        ["python", "/tmp/every_template.py", "/tmp", *TRAINED],
        network_mode="none",
        environment={"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    try:
        container.put_archive("/tmp", b"".join(tar_stream(files)))
        container.start()
        code = container.wait(timeout=300)["StatusCode"]
        assert code == 0, container.logs(tail=30).decode()
        # LLaMA-Factory's own words come before.
        found = json.loads(container.logs(stderr=False).splitlines()[-1])
    finally:
        container.remove(force=True)
    for name in templates:
        tokens, theirs = special_tokens(name), found[name]
        assert theirs["writes_begin"] == tokens.writes_begin, name
        assert theirs["tokens_added"] == 0, name
        assert set(theirs["pieces_of_turns"].values()) <= {1}, name
        assert theirs["ends_with"] in {tokens.end, *tokens.turns}, name
    assert all(found[name]["train_loss"] > 0 for name in TRAINED)


@pytest.mark.capability("E1")
def test_the_api_serves_the_adapter_before_its_merge(trained: Stack):
    url = trained.outputs()["api_url"]
    assert [model["id"] for model in httpx.get(f"{url}/models").json()["data"]] == ["chain"]
    reply = httpx.post(
        f"{url}/chat/completions",
        json={
            "model": "chain",
            "messages": [{"role": "user", "content": ROWS[0]["instruction"]}],
            "max_tokens": 40,
            "temperature": 0,
            "do_sample": False,
        },
        timeout=120,
    )
    assert reply.status_code == 200, reply.text
    assert reply.json()["choices"][0]["message"]["content"] == ROWS[0]["output"]


def test_a_second_up_changes_nothing(trained: Stack):
    update = trained.up()
    assert update.returncode == 0, update.output
    assert update.changes.keys() == {"same"}
