"""The training arguments, against the release that takes them (T2, T4).

What the settings know of LLaMA-Factory's arguments is what its own classes say, and what they
refuse its parser refuses. Takes about three minutes, most of them for a run that is judged on the
way. Needs the image that an up of the demo builds.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from plan.image import ImagesPlan
from planning.training_arguments import deepspeed_config, render_arguments
from planning.weights import Weights
from runtime.docker.archive import tar_stream
from stack_configs.settings.release_arguments import TABLE
from stack_configs.settings.training_runs import TrainingRunSettings
from tests.integration.conftest import Engine
from tests.integration.stack import PROJECT, Stack
from tests.stack_configs.clash_cases import CASES, GOOD, SHARED, Case

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]

RUNS = [
    *((case.run, case.several_processes) for case in CASES),
    *((run, False) for run in (*GOOD, *SHARED)),
]


def output_of(
    engine: Engine,
    image: str,
    command: str,
    files: Mapping[str, bytes],
    *,
    network: str = "none",
) -> bytes:
    """What a container of the image prints, that was given these files."""
    container = engine.client.containers.create(
        image,
        ["sh", "-ec", command],
        working_dir="/tmp",
        network_mode=network,
        environment={"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    try:
        container.put_archive("/tmp", b"".join(tar_stream(files)))
        container.start()
        code = container.wait(timeout=600)["StatusCode"]
        assert code == 0, container.logs(tail=30).decode()
        return bytes(container.logs(stderr=False))
    finally:
        container.remove(force=True)


def test_the_table_is_the_releases(engine: Engine, images: ImagesPlan):
    image = images.llamafactory.reference
    program = (PROJECT / "in_container/argument_table.py").read_bytes()
    said = output_of(
        engine,
        image,
        "python argument_table.py",
        {"argument_table.py": program},
    )
    assert said.decode() == TABLE.read_text(encoding="utf-8")


def told(run: Mapping[str, object]) -> dict[str, object]:
    """What the release is told of a run."""
    settings = TrainingRunSettings.model_validate({"dataset": "data", "precision": "fp32", **run})
    arguments = render_arguments(settings, template="llama3", weights=Weights(model="none"))
    return arguments | {"output_dir": "none", "dataset_dir": "none"}


@pytest.fixture(scope="module")
def answers(engine: Engine, images: ImagesPlan) -> list[str | None]:
    """What the release's parser says of every run, in their order."""
    asked = [{"arguments": told(run), "several_processes": several} for run, several in RUNS]
    files = {
        "release_parser.py": Path(__file__).with_name("release_parser.py").read_bytes(),
        "runs.json": json.dumps(asked).encode(),
    }
    image = images.llamafactory.reference
    command = "python release_parser.py runs.json >&2; cat answers.json"
    said: list[str | None] = json.loads(output_of(engine, image, command, files))
    return said


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_what_the_settings_refuse_the_release_refuses(answers: list[str | None], case: Case):
    said = answers[CASES.index(case)]
    assert case.says
    assert case.says in str(said)


@pytest.mark.parametrize("run", [*GOOD, *SHARED], ids=str)
def test_what_the_settings_take_the_release_takes(
    answers: list[str | None], run: Mapping[str, object]
):
    assert answers[len(CASES) + (*GOOD, *SHARED).index(dict(run))] is None


ZERO = """
import json
from deepspeed.runtime.zero.config import DeepSpeedZeroConfig
for told in json.load(open("files.json")):
    said = {key: value for key, value in told["zero_optimization"].items() if value != "auto"}
    taken = DeepSpeedZeroConfig(**said)
    kept = [taken.offload_optimizer, taken.offload_param]
    print(taken.stage, *(str(each.device) if each else "none" for each in kept))
"""
LEVELS = (("zero2", None), ("zero2", "optimizer"), ("zero3", "optimizer"), ("zero3", "all"))


@pytest.mark.nightly
def test_deepspeed_takes_the_files_that_are_rendered(engine: Engine, images: ImagesPlan):
    """Its own classes refuse what they do not know. Installs it first, which takes a minute."""
    rendered = [
        deepspeed_config(
            TrainingRunSettings.model_validate(
                {"datasets": ["a"], "deepspeed": stage, "offload": offload}
            )
        )
        for stage, offload in LEVELS
    ]
    files = {"zero.py": ZERO.encode(), "files.json": json.dumps(rendered).encode()}
    image = images.llamafactory.reference
    install = "DS_BUILD_OPS=0 pip install --quiet 'deepspeed<=0.18.4' >&2"
    said = output_of(engine, image, f"{install}; python zero.py", files, network="bridge").decode()
    assert said.splitlines()[-4:] == ["2 none none", "2 cpu none", "3 cpu none", "3 cpu cpu"]


@pytest.mark.nightly
@pytest.mark.capability("T2", "T4")
def test_a_run_is_judged_on_the_way_and_at_its_end(home: Path, engine: Engine):
    """Written as LLaMA-Factory's operators do, with the weights split, scaled and disturbed."""
    stack = Stack(home)
    stack.settings["board"] = {"enabled": False}
    stack.model["ollama_model"]["smoke_prompts"] = []
    run = stack.run
    run["dataset"] = ",".join(run.pop("datasets"))
    run |= {
        "do_train": True,
        "overwrite_output_dir": True,
        "report_to": "none",
        "max_steps": 20,
        "save_steps": 10,
        "val_size": 0.25,
        "eval_strategy": "steps",
        "eval_steps": 10,
        "per_device_eval_batch_size": 4,
        "compute_accuracy": True,
        "load_best_model_at_end": True,
        "early_stopping_steps": 5,
        "use_dora": True,
        "use_rslora": True,
        "neftune_noise_alpha": 5,
        "loraplus_lr_ratio": 4.0,
        "weight_decay": 0.01,
    }
    try:
        update = stack.up()
        assert update.returncode == 0, update.output
        (results,) = stack.outputs()["training_results"].values()
        assert 0 < results["eval_loss"] < 10
        assert 0 <= results["eval_accuracy"] <= 1
        assert "eval loss" in update.output
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)


@pytest.mark.nightly
@pytest.mark.capability("T4")
def test_an_optimizer_brings_its_package_and_trains(home: Path, engine: Engine):
    """A chain of full runs, each with another optimizer, in an image that has what they need."""
    stack = Stack(home)
    stack.settings["board"] = {"enabled": False}
    stack.model["ollama_model"]["smoke_prompts"] = []
    plain = {
        key: value
        for key, value in stack.run.items()
        if key not in ("name", "finetuning_type", "additional_target")
    }
    optimizers: dict[str, dict[str, object]] = {
        "galore": {"use_galore": True, "galore_rank": 8, "galore_layerwise": True},
        "apollo": {"use_apollo": True, "apollo_rank": 8},
        "badam": {"use_badam": True, "badam_mode": "layer", "badam_switch_interval": 1},
        "adam-mini": {"use_adam_mini": True},
        "muon": {"use_muon": True},
    }
    stack.model["training_runs"] = [
        plain | {"name": name, "finetuning_type": "full", "max_steps": 3, **optimizer}
        for name, optimizer in optimizers.items()
    ]
    try:
        update = stack.up()
        assert update.returncode == 0, update.output
        results = stack.outputs()["training_results"]
        assert len(results) == len(optimizers)
        assert all(0 < each["train_loss"] < 10 for each in results.values()), results
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)


@pytest.mark.nightly
@pytest.mark.capability("T3", "T4")
def test_adapters_of_other_kinds_are_merged_and_learnt_with(home: Path, engine: Engine):
    """OFT, which no later run goes on with, and PiSSA, whose adapter fits no whole weights."""
    stack = Stack(home)
    stack.settings["board"] = {"enabled": False}
    stack.model["ollama_model"]["smoke_prompts"] = []
    lora = {key: value for key, value in stack.run.items() if key != "name"}
    stack.model["training_runs"] = [
        lora | {"name": "oft", "finetuning_type": "oft", "max_steps": 3, "oft_block_size": 16},
        lora | {"name": "pissa", "pissa_init": True, "max_steps": 3, "additional_target": []},
    ]
    try:
        update = stack.up()
        assert update.returncode == 0, update.output
        assert stack.outputs()["training_results"].keys() == {
            "stack-guide-oft",
            "stack-guide-pissa",
        }
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)
