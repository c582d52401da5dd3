"""From every environment's plan over the wire to the program: what is sent is what is read."""

import dataclasses
import importlib
import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pulumi
import pytest

from components import type_tokens
from components.pipeline import FineTunePipeline, FineTunePipelineArgs
from plan.codec import as_json, decode, encode
from plan.host import Gpu, HostFacts, Tokens
from plan.ollama_model import OllamaModelStep
from plan.owner import Owner
from plan.pipeline import PipelinePlan
from plan.step import ContainerStepPlan, Noun, Request, ServiceStartStep, StepPlan
from planning.host import ask_for_tokens
from planning.hub_model import PARAMETERS
from planning.hub_model import PROGRAM as FETCH
from planning.pipeline import plan_pipeline
from runtime.__main__ import ACTIONS, MODULES
from runtime.program import Program
from stack_configs.settings.loader import load_settings, parse_settings
from stack_configs.settings.root import Settings
from tests.pulumi_recorder import COMMAND, OWNER_ID, Recorder, run

PROJECT = Path(__file__).parents[1]
OWNER = Owner(stack="finetune-stack-test")
SECRETS = {"hub_token": "hf_secret", "api_key": "sk-secret"}
FACTS = HostFacts(engine_id="ABCD", gpus=(Gpu(memory_gb=80), Gpu(memory_gb=80)))

ENVIRONMENTS = sorted((PROJECT / "stack_configs").glob("*.yaml"))
ANSWERS = {"instruction": "Say hi.", "output": "Hi.", "chosen": "Hi.", "rejected": "No."}
DATASETS = [
    {"name": "plain", "file": "rows.json", "columns": {"system": "persona"}},
    {"name": "ranked", "file": "rows.json", "ranking": True},
    {"name": "judged", "file": "rows.json", "columns": {"kto_tag": "good"}},
]


def model(name: str, *runs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "template": "qwen",
        "base_model": {"generate": {}},
        "training_runs": [{"datasets": ["plain"], **run} for run in runs],
        **changes,
    }


ALIGNED = model(
    "aligned",
    {"name": "pt", "stage": "pt"},
    {"name": "sft", "arguments": {"packing": True, "optim": "adamw_torch"}},
    {"name": "dpo", "stage": "dpo", "datasets": ["ranked"]},
    {"name": "kto", "stage": "kto", "datasets": ["judged"]},
    {"name": "judge", "stage": "rm", "datasets": ["ranked"]},
    {"name": "ppo", "stage": "ppo", "reward_model": "judge"},
    gguf_conversion={"quantization": "IQ3_XXS", "importance_matrix": True},
    ollama_model={
        "name": "team/aligned:v1",
        "system": 'Be "brief".\nSay 問.',
        "parameters": {"temperature": 0.5, "num_ctx": 4096, "stop": ["User:"]},
        "smoke_prompts": [{"prompt": "Say hi.", "expect": "Hi"}],
        "publish": "team/aligned:v1",
    },
)
FULL = model("full", {"finetuning_type": "full"}, gguf_conversion={"quantization": "q8_0"})
FROM_HUB = model(
    "hub",
    {"deepspeed": "zero3", "quantization_bit": 4, "threads": 4, "deadline_hours": 0.5},
    base_model={"hub": "a/b-1B", "revision": "v2"},
)
FROM_PATH = model("path", {"use_unsloth": True}, base_model={"path": "/app/output/mine"})

REGISTRY = {"host": "registry.example.org:5000", "username": "raven", "insecure": True}

DOCUMENTS: dict[str, dict[str, Any]] = {
    "every-stage": {
        "host": {"hardware": "cpu"},
        "models": [ALIGNED | {"keep": 2}, FULL],
        "images": {"ollama": {"build": True}, "builder": "classic"},
        "api": {"enabled": True, "model": "aligned"},
        "registry": REGISTRY,
    },
    "cluster": {
        "host": {
            "hardware": "cuda",
            "engine": "ssh://user@gpu-box",
            "gpu": {"count": 2, "memory_gb": 80},
            "cluster": {"nodes": 2, "rank": 1, "master_address": "10.0.0.1"},
        },
        "models": [FROM_HUB, FROM_PATH],
        "volumes": {
            role: {"host_path": f"/srv/{role}"} for role in ("data", "output", "hf_cache", "ollama")
        },
        "images": {
            "llamafactory": {"image": "acme/factory:1"},
            "converter": {"image": "acme/converter:1"},
            "mirrors": {"registry": "mirror.example.org"},
        },
        "board": {"enabled": False},
        "api": {"enabled": True, "model": "hub"},
    },
    "rocm": {
        "host": {"hardware": "rocm", "gpu": {"count": 1}},
        "models": [ALIGNED],
        "registry": REGISTRY,
    },
    "npu": {
        "host": {"hardware": "npu", "gpu": {"count": 2}},
        "models": [ALIGNED],
        "registry": REGISTRY,
    },
}
"""Settings that use everything between them."""

CASES = [path.stem for path in ENVIRONMENTS] + list(DOCUMENTS)


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    case = request.param
    if case not in DOCUMENTS:
        return load_settings(PROJECT / f"stack_configs/{case}.yaml")
    row = ANSWERS | {"persona": "Be brief.", "good": True}
    (tmp_path / "rows.json").write_text(json.dumps([row]))
    document = {"datasets": DATASETS, **DOCUMENTS[case]}
    return parse_settings(document, directory=tmp_path, source=case)


@pytest.fixture
def plan(settings: Settings) -> PipelinePlan:
    return plan_pipeline(settings, owner=OWNER, facts=FACTS)


for_every_environment = pytest.mark.parametrize("settings", CASES, indirect=True)


def program_of(noun: str) -> Program:
    """The module that converges a kind of step."""
    program: Program = importlib.import_module(MODULES[noun])
    return program


def steps(plan: PipelinePlan) -> Iterator[tuple[Noun, StepPlan]]:
    """Every step of a plan, with its kind."""
    yield "host-claim", plan.host_claim
    yield "leftovers", plan.leftovers
    yield "dataset-registration", plan.dataset_registration
    for step in plan.container_steps:
        yield step.noun, step
    for model in plan.models:
        yield "ollama-model", model.ollama_model
        if model.publication is not None:
            yield "publication", model.publication
    yield "served-models", plan.served_models
    if plan.kept_artefacts is not None:
        yield "kept-artefacts", plan.kept_artefacts


def as_kind(step: StepPlan, kind: type[StepPlan]) -> StepPlan:
    """A step without what only the planner knows of it."""
    assert isinstance(step, kind)
    return kind(**{each.name: getattr(step, each.name) for each in dataclasses.fields(kind)})


def over_the_wire(kind: type[StepPlan], text: str) -> Request[Any]:
    """What a program reads, as `runtime.program` does it."""
    request: Request[Any] = decode(Request[kind], text)  # type: ignore[valid-type]
    return request


@for_every_environment
def test_every_step_of_a_plan_arrives_as_it_was_sent(plan: PipelinePlan) -> None:
    for noun, step in steps(plan):
        kind = program_of(noun).KIND
        sent = Request(engine=plan.engine, owner=plan.owner, step=step, token="t1")
        expected = dataclasses.replace(sent, step=as_kind(step, kind))
        assert over_the_wire(kind, encode(sent)) == expected, noun


@for_every_environment
def test_a_step_says_which_artefacts_it_begins_with(plan: PipelinePlan) -> None:
    made = {str(step.artefact): step for step in plan.container_steps}
    fetched = {
        json.loads(step.files[PARAMETERS])["repo"]: artefact
        for artefact, step in made.items()
        if FETCH in step.uploads
    }
    for noun, step in steps(plan):
        if not isinstance(step, ContainerStepPlan | OllamaModelStep):
            continue
        text = encode(dataclasses.replace(step, reads=()))
        named = {path for path, other in made.items() if path in text and other != step}
        if not isinstance(step, ContainerStepPlan) or FETCH not in step.uploads:
            # Whoever loads a model by its name in the hub loads what was fetched.
            named |= {artefact for repo, artefact in fetched.items() if repo in text}
        told = {path for path in made for each in step.reads if each.startswith(path)}
        assert told == named, noun
        # What the operator has laid there himself is nobody's artefact.
        others = [each for each in step.reads if not each.startswith(tuple(made))]
        assert set(others) <= {"/app/output/mine"}, noun


Deploy = Callable[[PipelinePlan], dict[str, Any]]


@pytest.fixture
def deploy() -> Deploy:
    """The inputs of every command that the components declare for a plan, by its name."""
    recorder = Recorder()
    recorder.start()

    def make(plan: PipelinePlan) -> dict[str, Any]:
        probes = ask_for_tokens(plan).probes
        tokens = Tokens(steps={probe.step: f"token-{probe.step}" for probe in probes})

        def program() -> Any:
            secrets = {key: pulumi.Output.secret(value) for key, value in SECRETS.items()}
            args = FineTunePipelineArgs(
                plan=plan,
                facts=FACTS,
                tokens=tokens,
                secrets=secrets,
            )
            return FineTunePipeline("pipeline", args).outputs.models

        run(program)
        return {each.name: each.inputs for each in recorder.all(COMMAND)}

    return make


def words(inputs: Any, action: str) -> list[str]:
    """A command line as the program's `main` gets it."""
    python, _, module, *arguments = shlex.split(inputs[action])
    assert (python, module) == (".venv/bin/python", "runtime")
    return arguments


@for_every_environment
def test_what_components_send_is_what_programs_read(plan: PipelinePlan, deploy: Deploy) -> None:
    commands = deploy(plan)
    planned = {(noun, step.name): step for noun, step in steps(plan)}
    read: dict[tuple[str, str], StepPlan] = {}
    for name, inputs in commands.items():
        lines = [
            words(inputs, action) for action in ("create", "update", "delete") if action in inputs
        ]
        (noun,) = {arguments[0] for arguments in lines}
        assert {arguments[1] for arguments in lines} <= set(ACTIONS)
        kind = program_of(noun).KIND
        request = over_the_wire(kind, inputs["stdin"])
        assert request.engine == plan.engine, name
        # The claim itself is made before the id is known.
        expected_id = "" if noun == "host-claim" else OWNER_ID
        assert request.owner == Owner(stack=plan.stack, id=expected_id), name
        assert not any(secret in inputs["stdin"] for secret in SECRETS.values()), name
        read[noun, request.step.name] = request.step
    starts = {
        ("service-start", service.name): ServiceStartStep(
            name=service.name,
            title=service.title,
            probe=service.healthcheck.tests[1:],
            deadline_seconds=service.healthcheck.wait,
            settings=service.settings,
            secret_environment=service.secret_environment,
            preloads=service.preloads,
        )
        for service in plan.services
    }
    expected = {
        key: as_kind(step, program_of(key[0]).KIND) for key, step in (planned | starts).items()
    }
    assert {key: as_json(step) for key, step in read.items()} == {
        key: as_json(step) for key, step in expected.items()
    }
    assert read == expected


@for_every_environment
def test_a_step_is_told_the_token_of_its_own_work(plan: PipelinePlan, deploy: Deploy) -> None:
    expected = {probe.step: f"token-{probe.step}" for probe in ask_for_tokens(plan).probes}
    # A service is started anew with its container.
    for service in plan.services:
        resource = service.name.replace(plan.stack, "pipeline")
        expected[service.name] = f"{resource}-container-id"
    # A model is published anew when it is made anew.
    for model in plan.models:
        if model.publication is not None:
            expected[model.publication.name] = f"token-{model.ollama_model.name}"
    told = {}
    for inputs in deploy(plan).values():
        request = json.loads(inputs["stdin"])
        told[request["step"]["name"]] = request["token"]
    assert {step: token for step, token in told.items() if token} == expected


def test_the_documents_use_every_kind_of_step(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(
        json.dumps([ANSWERS | {"persona": "Be brief.", "good": True}])
    )
    used = {"service-start"}
    for case, document in DOCUMENTS.items():
        loaded = parse_settings({"datasets": DATASETS, **document}, directory=tmp_path, source=case)
        used |= {noun for noun, _ in steps(plan_pipeline(loaded, owner=OWNER, facts=FACTS))}
    assert used == set(get_args(Noun))


class TestPrograms:
    def test_every_kind_of_step_has_one(self) -> None:
        assert MODULES.keys() == set(get_args(Noun))

    @pytest.mark.parametrize("noun", get_args(Noun))
    def test_it_converges_and_deletes_one_kind(self, noun: str) -> None:
        program = program_of(noun)
        assert issubclass(program.KIND, StepPlan)
        assert callable(program.converge)
        assert callable(program.delete)

    def test_what_runs_in_a_container_has_a_type_of_its_own_in_the_graph(self) -> None:
        in_containers = {noun for noun in MODULES if program_of(noun).KIND is ContainerStepPlan}
        assert type_tokens.CONTAINER_STEPS.keys() == in_containers
