"""A recording engine in Pulumi's place, and a plan to deploy on it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks

from components import host_check
from components.host_check import HostFacts
from components.pipeline import FineTunePipeline, FineTunePipelineArgs
from planning.pipeline import PipelinePlan, plan_pipeline
from stack_configs.settings.loader import parse_settings

COMMAND = "command:local:Command"
CONTAINER = "docker:index/container:Container"
IMAGE = "docker:index/image:Image"
NETWORK = "docker:index/network:Network"
REMOTE_IMAGE = "docker:index/remoteImage:RemoteImage"
VOLUME = "docker:index/volume:Volume"
STACK = "finetune-stack-test"
RESULTS = {
    "training-run": {"train_loss": 0.5},
    "accelerator-check": {"accelerators": [{"name": "GPU", "memory_gb": 24}]},
}
"""What stages leave behind, by noun."""


@dataclass
class Engine(mocks.Mocks):
    """Answers as the plugins would, and remembers every registration."""

    registered: list[mocks.MockResourceArgs] = field(default_factory=list)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.registered.append(args)
        outputs = dict(args.inputs)
        if args.typ == COMMAND:
            spec = json.loads(plain(args.inputs["stdin"]))
            outputs["stdout"] = json.dumps(
                {
                    "fingerprint": spec["fingerprint"],
                    "artefact": spec.get("artefact"),
                    "results": RESULTS.get(spec.get("noun"), {}),
                    "model": spec.get("served_name"),
                    "answers": [
                        {"prompt": prompt["prompt"], "answer": "42"}
                        for prompt in spec.get("smoke_prompts", [])
                    ],
                }
            )
        return f"{args.name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"the program has no use for {args.token}")

    def created(self, kind: str, name: str = "") -> list[mocks.MockResourceArgs]:
        return [args for args in self.registered if args.typ == kind and name in args.name]

    def spec(self, name: str) -> dict[str, Any]:
        """What the program of the one command with that name reads on standard input."""
        (command,) = self.created(COMMAND, name)
        spec: dict[str, Any] = json.loads(plain(command.inputs["stdin"]))
        return spec


HOST_CHECK = """
import json, pathlib, sys
here = pathlib.Path(__file__).parent
spec = json.load(sys.stdin)
(here / "spec.json").write_text(json.dumps(spec))
tokens = {probe["step"]: "token" for probe in spec["probes"]}
problems = json.loads((here / "problems.json").read_text())
print(json.dumps({"problems": problems, "facts": {}, "tokens": tokens}))
"""


@dataclass
class Host:
    """A host in place of the real one: a program that sees what a test has put there."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.program.write_text(HOST_CHECK)
        self.has_problems()

    @property
    def program(self) -> Path:
        return self.folder / "host_check.py"

    @property
    def spec(self) -> dict[str, Any]:
        """What the program was asked for."""
        spec: dict[str, Any] = json.loads((self.folder / "spec.json").read_text())
        return spec

    def has_problems(self, *problems: dict[str, str]) -> None:
        (self.folder / "problems.json").write_text(json.dumps(problems))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path / "host")
    monkeypatch.setattr(host_check, "PROGRAM", str(made.program))
    return made


def is_secret(value: Any) -> bool:
    """Whether a value arrived wrapped as a secret."""
    return isinstance(value, dict) and "4dabf18193072939515e22adb298388d" in value


def plain(value: Any) -> Any:
    return value["value"] if is_secret(value) else value


@pytest.fixture
def settings_document(tmp_path: Path) -> dict[str, Any]:
    """The smallest settings with every component, as parsed YAML."""
    rows = [{"instruction": "What is the answer?", "output": "42"}]
    (tmp_path / "answers.json").write_text(json.dumps(rows))
    return {
        "host": {"hardware": "cpu"},
        "images": {"ollama": {"build": True}},
        "volumes": {"output": {"retain": True}, "hf_cache": {"retain": False}},
        "datasets": [{"name": "answers", "file": "answers.json"}],
        "models": [
            {
                "name": "guide",
                "template": "llama3",
                "base_model": {"generate": {}},
                "training_runs": [{"datasets": ["answers"]}],
                "ollama_model": {"smoke_prompts": [{"prompt": "answer?", "expect": "42"}]},
            }
        ],
    }


@pytest.fixture
def make_plan(tmp_path: Path) -> Callable[[dict[str, Any]], PipelinePlan]:
    def make(document: dict[str, Any]) -> PipelinePlan:
        settings = parse_settings(document, directory=tmp_path, source="test.yaml")
        return plan_pipeline(settings, stack=STACK)

    return make


@pytest.fixture
def engine() -> Engine:
    recording = Engine()
    mocks.set_mocks(recording, project="finetune-stack", stack="test", preview=False)
    return recording


@pytest.fixture
def deploy(engine: Engine) -> Callable[..., FineTunePipeline]:
    """Deploys a plan and returns once every registration has landed."""

    def run(plan: PipelinePlan, **args: Any) -> FineTunePipeline:
        pipelines: list[FineTunePipeline] = []

        @pulumi.runtime.test
        def program() -> Any:
            tokens = {probe.step: f"token-{probe.step}" for probe in plan.host_check.probes}
            host = HostFacts(facts={}, tokens=tokens)
            pipeline = FineTunePipeline(
                "pipeline", FineTunePipelineArgs(plan=plan, host=host, **args)
            )
            pipelines.append(pipeline)
            return pipeline.models

        program()
        return pipelines[0]

    return run
