"""An engine in Pulumi's place that answers as the plugins would and keeps every registration."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc, settings

from plan.codec import decode, encode
from plan.ollama_model import OllamaModelResult, OllamaModelStep
from plan.publication import PublicationResult, PublicationStep
from plan.step import (
    ContainerStepPlan,
    HostClaimResult,
    HostClaimStep,
    Request,
    StepPlan,
    StepResult,
)
from runtime.__main__ import MODULES

PROJECT = "finetune-stack"
STACK_TYPE = "pulumi:pulumi:Stack"
COMMAND = "command:local:Command"
CONTAINER = "docker:index/container:Container"
IMAGE = "docker:index/image:Image"
NETWORK = "docker:index/network:Network"
REMOTE_IMAGE = "docker:index/remoteImage:RemoteImage"
VOLUME = "docker:index/volume:Volume"

OWNER_ID = "5eed5eed5eed"
"""What the host claim draws here."""
DIGEST = f"sha256:{'5eed' * 16}"
"""Of everything that is published here."""
RESULTS: dict[str, dict[str, Any]] = {
    "training-run": {"train_loss": 0.5},
    "accelerator-check": {"accelerators": [{"name": "GPU", "memory_gb": 24}]},
}
"""Figures that container steps leave behind, by noun."""

_KINDS: dict[str, type[StepPlan]] = {
    "host-claim": HostClaimStep,
    "ollama-model": OllamaModelStep,
    "publication": PublicationStep,
    **{
        noun: ContainerStepPlan
        for noun, module in MODULES.items()
        if module == "runtime.steps.container_step"
    },
}


@dataclass(frozen=True)
class Registration:
    """One resource, as the program hands it to Pulumi's engine."""

    urn: str
    inputs: dict[str, Any]
    request: Any
    """Options such as `dependencies`, `ignoreChanges` and `retainOnDelete`, as the engine sees
    them."""

    @property
    def name(self) -> str:
        return str(self.request.name)

    @property
    def type(self) -> str:
        return str(self.request.type)

    @property
    def parent(self) -> str | None:
        """The parent's name; None for the stack."""
        return name_of(self.request.parent) if self.request.parent else None

    @property
    def words(self) -> list[str]:
        """The command line that makes a step, in words."""
        return str(self.inputs["create"]).split()


class Recorder(mocks.MockMonitor):
    """Pulumi's engine, recording."""

    def __init__(self) -> None:
        super().__init__(_Plugins())
        self.registered: list[Registration] = []

    def RegisterResource(self, request: Any) -> Any:
        response = super().RegisterResource(request)
        inputs = rpc.deserialize_properties(request.object, keep_unknowns=True)
        self.registered.append(Registration(response.urn, inputs, request))
        return response

    def start(self, stack: str = "test", *, preview: bool = False) -> None:
        """Take Pulumi's place for the program that runs next."""
        # Else the stack's own resource would be that of the first program of the process.
        settings.reset_options()
        mocks.set_mocks(self.mocks, project=PROJECT, stack=stack, preview=preview, monitor=self)

    def all(self, type_token: str) -> list[Registration]:
        """Every resource of one type."""
        return [each for each in self.registered if each.type == type_token]

    def one(self, name: str) -> Registration:
        """The one resource of a name."""
        (found,) = (each for each in self.registered if each.name == name)
        return found

    def step(self, name: str, kind: type[StepPlan] = ContainerStepPlan) -> Request[Any]:
        """What the program of the command with that name reads on standard input."""
        return read_request(self.one(name), kind)

    def waits_for(self, name: str) -> set[str]:
        """Names of all resources that are there before this one, directly or through others."""
        by_urn = {each.urn: each for each in self.registered}

        def before(each: Registration) -> Iterator[str]:
            for urn in each.request.dependencies:
                yield name_of(urn)
                yield from before(by_urn[urn])

        return set(before(self.one(name)))


class _Plugins(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        outputs = dict(args.inputs)
        if args.typ == COMMAND and "create" in args.inputs:
            outputs["stdout"] = _said(str(args.inputs["create"]).split(), args.inputs["stdin"])
        return f"{args.name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> Any:
        raise AssertionError(f"the program has no use for {args.token}")


def run(program: Callable[[], Any]) -> None:
    """Runs a program until all that it registers has landed, and the output that it returns."""
    pulumi.runtime.test(program)()


def read_request(command: Registration, kind: type[StepPlan]) -> Request[Any]:
    """The request of one command."""
    return decode(Request[kind], command.inputs["stdin"])  # type: ignore[valid-type]


def name_of(urn: str) -> str:
    """The name that a URN ends in."""
    return urn.rsplit("::", maxsplit=1)[-1]


def is_secret(value: Any) -> bool:
    """Whether a value arrived wrapped as a secret."""
    return isinstance(value, dict) and rpc._special_sig_key in value


def plain(value: Any) -> Any:
    """The value, secret or not."""
    return value["value"] if is_secret(value) else value


def _said(words: list[str], stdin: str) -> str:
    """The line of JSON that a program would end with."""
    noun = words[words.index("runtime") + 1]
    if noun not in _KINDS:
        return "{}"
    step: StepPlan = decode(Request[_KINDS[noun]], stdin).step  # type: ignore[valid-type]
    match step:
        case HostClaimStep():
            return encode(HostClaimResult(owner_id=OWNER_ID, engine_id=step.engine_id))
        case OllamaModelStep():
            answers = tuple(
                {"prompt": smoke.prompt, "answer": "42"} for smoke in step.smoke_prompts
            )
            return encode(OllamaModelResult(model=step.served_name, answers=answers))
        case PublicationStep():
            return encode(PublicationResult(reference=step.reference, digest=DIGEST))
        case ContainerStepPlan():
            return encode(
                StepResult(
                    identity=step.identity,
                    artefact=str(step.artefact),
                    results=RESULTS.get(noun, {}),
                )
            )
    raise AssertionError(f"nobody knows what {noun} says")
