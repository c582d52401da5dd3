"""Trainings of six shapes are foretold by an earlier one of each (T2).

Models, methods, lengths and batches differ, and each goes on with other ones than it began with.
Takes a quarter of an hour on a machine that does nothing else; on a busy one it says nothing.
"""

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from plan import paths
from plan.training_record import TrainingRecord, read_training_record
from tests.integration.conftest import Engine
from tests.integration.stack import Stack

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(3600),
]

WITHIN = 0.25
GROUND = (
    *("pipeline", "*-host-check*", "*-images*", "*-volumes*", "*-network*", "*-leftovers*"),
    "*-dataset-registration*",
)
WORDS = (
    "pulumi",
    "preview",
    "judges",
    "settings",
    "before",
    "the",
    "host",
    "trains",
    "ollama",
    "answers",
)


def text(dice: random.Random, least: int, most: int) -> str:
    return " ".join(dice.choices(WORDS, k=dice.randint(least, most)))


def write_rows(folder: Path) -> list[dict[str, Any]]:
    """Data sets of questions, of texts, and of ranked answers; their settings."""
    dice = random.Random(7)  # noqa: S311 - chance that is the same each time
    questions = [
        {"instruction": text(dice, 4, 12), "output": text(dice, 5, 60)} for _ in range(400)
    ]
    texts = [{"text": text(dice, 20, 120)} for _ in range(400)]
    ranked = [
        {
            "instruction": text(dice, 10, 30),
            "chosen": text(dice, 10, 30),
            "rejected": text(dice, 10, 30),
        }
        for _ in range(200)
    ]
    for name, rows in (("questions", questions), ("texts", texts), ("ranked", ranked)):
        (folder / f"{name}.json").write_text(json.dumps(rows))
    file = {name: str(folder / f"{name}.json") for name in ("questions", "texts", "ranked")}
    return [
        {"name": "questions", "file": file["questions"]},
        {"name": "texts", "file": file["texts"], "columns": {"prompt": "text"}},
        {"name": "ranked", "file": file["ranked"], "ranking": True},
    ]


def sized(layers: int, width: int) -> dict[str, Any]:
    return {
        "seed": 1,
        "layers": layers,
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "attention_heads": 4,
    }


Settings = dict[str, Any]
SHAPES: Mapping[str, tuple[Settings, Settings, Settings]] = {
    # Base model, first run, and what is changed then. No two share a base model, whose step is
    # called after the first.
    "longer": (
        sized(4, 128),
        {"max_steps": 20, "per_device_train_batch_size": 4},
        {"max_steps": None, "num_train_epochs": 1},
    ),
    "wider-batch": (
        sized(3, 256),
        {"max_steps": 20, "per_device_train_batch_size": 4, "finetuning_type": "full"},
        {"max_steps": 25, "per_device_train_batch_size": 8},
    ),
    "shorter-rows": (
        sized(2, 256),
        {"max_steps": 15, "per_device_train_batch_size": 8, "lora_rank": 16},
        {"max_steps": 40, "cutoff_len": 48},
    ),
    "packed": (
        sized(2, 320),
        {"max_steps": 20, "packing": True, "cutoff_len": 256, "learning_rate": 1e-3},
        # How many rows are packed into one is an estimate by itself, and so would the steps be.
        {"max_steps": 30, "cutoff_len": 512},
    ),
    "texts": (
        sized(3, 256),
        {"stage": "pt", "datasets": ["texts"], "finetuning_type": "full", "max_steps": 15},
        {"max_steps": None, "num_train_epochs": 3, "cutoff_len": 256},
    ),
    "preferences": (
        sized(2, 320),
        {"stage": "dpo", "datasets": ["ranked"], "max_steps": 10},
        {"max_steps": None, "num_train_epochs": 2, "per_device_train_batch_size": 4},
    ),
}
COMMON = {
    "datasets": ["questions"],
    "cutoff_len": 128,
    "gradient_accumulation_steps": 4,
    "per_device_train_batch_size": 2,
    "precision": "fp32",
    "include_num_input_tokens_seen": True,
    "threads": 1,
}


@pytest.fixture(scope="module")
def shapes(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with a model of each shape, of which none is trained."""
    folder = tmp_path_factory.mktemp("shapes")
    made = Stack(folder / "home")
    made.settings["datasets"] = write_rows(folder)
    made.settings["board"] = {"enabled": False}
    common = made.settings["models"][0]
    made.settings["models"] = [
        {
            **common,
            "name": name,
            "base_model": {"generate": generate},
            "training_runs": [{"name": "run", **COMMON, **run}],
            "ollama_model": {},
        }
        for name, (generate, run, _) in SHAPES.items()
    ]
    try:
        yield made
    finally:
        made.abandon()
        engine.remove_everything_of(made)


def train(stack: Stack, name: str) -> Mapping[str, int]:
    """Train one of the models alone; what was foretold of it."""
    done = stack.up(targets=[*GROUND, f"*-{name}-base-model*", f"*-{name}-run*"])
    assert done.returncode == 0, done.output
    forecast: Mapping[str, int] = stack.outputs()["forecast"][f"{name}-run"]
    return forecast


def last_record(stack: Stack, engine: Engine, name: str) -> TrainingRecord:
    """Of the latest training of a model."""
    volume = f"{stack.physical_name}-output"
    command = ["sh", "-c", f"cat {paths.TRAINING_RECORDS}/*.json"]
    said: bytes = engine.client.containers.run(
        "debian:trixie-slim",
        command,
        remove=True,
        network_mode="none",
        volumes={volume: {"bind": str(paths.OUTPUT), "mode": "ro"}},
    )
    records = [read_training_record(line) for line in said.splitlines()]
    own = [each for each in records if each and each.step.endswith(f"-{name}-run")]
    return max(own, key=lambda record: record.finished_at)


@pytest.mark.parametrize("name", SHAPES)
def test_steps_tokens_and_time_are_near_what_they_come_to(
    name: str, shapes: Stack, engine: Engine
) -> None:
    train(shapes, name)
    (model,) = (each for each in shapes.settings["models"] if each["name"] == name)
    (run,) = model["training_runs"]
    run.update(SHAPES[name][2])
    foretold = train(shapes, name)
    record = last_record(shapes, engine, name)
    assert record.seconds is not None
    read = record.figure("num_input_tokens_seen")
    print(f"{name}: foretold {foretold}; {record.steps} steps, {read} tokens, {record.seconds} s")
    assert foretold["steps"] == record.steps
    assert foretold["tokens"] == pytest.approx(read, rel=WITHIN)
    assert foretold["seconds"] == pytest.approx(record.seconds, rel=WITHIN)
