"""What Pulumi's state says of a stack: `pulumi stack export`, read in the plan's own words.

Secrets stay as the export has them: encrypted, and nothing here opens them.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from plan import labels
from plan.codec import DecodeError, decode
from plan.container import Mount
from plan.ollama_model import OllamaModelResult, OllamaModelStep
from plan.owner import Owner
from plan.publication import PublicationStep
from plan.step import (
    CONTAINER_NOUNS,
    ContainerStepPlan,
    DatasetRegistrationStep,
    HostClaimStep,
    Request,
    StepPlan,
)

PROGRAM = ("-m", "runtime")
KINDS: Mapping[str, type[StepPlan]] = {
    "host-claim": HostClaimStep,
    "dataset-registration": DatasetRegistrationStep,
    **dict.fromkeys(CONTAINER_NOUNS, ContainerStepPlan),
    "ollama-model": OllamaModelStep,
    "publication": PublicationStep,
}
"""What the requests of each program hold; of the programs that are told of."""

GB = 1000**3
PIPELINE_TYPE = f"{labels.NAMESPACE}:index:FineTunePipeline"
S = TypeVar("S", bound=StepPlan)


class StateError(Exception):
    """An export that tells nothing of a stack of this project; the message says the way out."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of the state."""

    urn: str
    type: str
    """The last type, without those of its parents."""
    parent: str = ""
    dependencies: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    modified: datetime | None = None

    @property
    def name(self) -> str:
        """As Pulumi's own messages call it."""
        return self.urn.rpartition("::")[2]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: what its program was asked, and what it said."""

    noun: str
    resource: Resource
    request: Request[Any]
    said: Mapping[str, Any]
    """Empty where it has not come to its end."""

    @property
    def plan(self) -> StepPlan:
        """As its request has it."""
        plan: StepPlan = self.request.step
        return plan


@dataclass(frozen=True, kw_only=True)
class StackState:
    """A stack as its last up left it."""

    stack: str
    """Its name in Pulumi."""
    resources: Sequence[Resource]
    cli_version: str = ""
    updated: datetime | None = None

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The stack's own."""
        found = (r.outputs for r in self.resources if r.type == "pulumi:pulumi:Stack")
        return next(found, {})

    @property
    def settings(self) -> Mapping[str, Any]:
        """As the last whole up resolved them; empty in what an earlier version left."""
        settings: Mapping[str, Any] = self._kept.get("settings") or {}
        return settings

    @property
    def foretold_memory(self) -> Mapping[str, float]:
        """Bytes that a run was foretold to need on each GPU, by the name of its component."""
        foretold = self._kept.get("gpu_memory") or {}
        return {
            f"pipeline-{run.replace(', ', '-')}": sum(parts.values()) * GB
            for run, parts in foretold.items()
        }

    @property
    def foretold_seconds(self) -> Mapping[str, float]:
        """How long a run was foretold to take, by the name of its component."""
        forecast = self.outputs.get("forecast") or {}
        return {
            f"pipeline-{run}": told["seconds"]
            for run, told in forecast.items()
            if told.get("seconds") is not None
        }

    @property
    def _kept(self) -> Mapping[str, Any]:
        found = (r.outputs for r in self.resources if r.type == PIPELINE_TYPE)
        return next(found, {})

    @property
    def steps(self) -> Sequence[Step]:
        """Every step that leaves something, in the order of the state."""
        return tuple(self._steps())

    def _steps(self) -> Iterator[Step]:
        for resource in self.resources:
            noun = _noun(resource)
            if noun not in KINDS:
                continue
            try:
                request = _request(KINDS[noun], str(resource.inputs.get("stdin", "")))
                said = json.loads(resource.outputs.get("stdout") or "{}")
            except (DecodeError, ValueError):
                # A version whose words these are not: what it made can be destroyed, not told of.
                continue
            yield Step(noun=noun, resource=resource, request=request, said=said)

    def plans(self, kind: type[S]) -> list[S]:
        """The plans of one kind."""
        return [step.plan for step in self.steps if isinstance(step.plan, kind)]

    @property
    def owner(self) -> Owner:
        """Whose everything on the host is. Raises `StateError` where no step says it."""
        owners = (step.request.owner for step in self.steps if step.request.owner.id)
        found = next(owners, None)
        if found is None:
            raise StateError(
                f"the stack {self.stack} has no step in its state: it has not come up yet. "
                f"Run make up STACK={self.stack}"
            )
        return found

    @property
    def engine(self) -> str | None:
        """Where its engine is, as its steps were told."""
        return next((step.request.engine for step in self.steps), None)

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """The stack's volumes, each once, where containers have them."""
        mounts = [
            mount for plan in self.plans(ContainerStepPlan) for mount in plan.container.mounts
        ]
        mounts += [plan.mount for plan in self.plans(DatasetRegistrationStep)]
        for resource in self.resources:
            if resource.type == "docker:index/container:Container":
                mounts += [
                    Mount(source=mount["source"], target=mount["target"])
                    for mount in resource.inputs.get("mounts") or ()
                    if mount.get("source")
                ]
        return tuple({mount.target: mount for mount in mounts}.values())


def read_state(text: str) -> StackState:
    """An export. Raises `StateError` for what is none of this project."""
    try:
        deployment = json.loads(text)["deployment"]
        resources = tuple(_resource(each) for each in deployment.get("resources") or ())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(
            f"what came on standard input is no export of a stack ({error!r}). "
            "Give it the output of: pulumi stack export"
        ) from error
    project = {resource.urn.split("::")[1] for resource in resources}
    if project and project != {labels.NAMESPACE}:
        raise StateError(
            f"the export is of the project {', '.join(sorted(project))}, not {labels.NAMESPACE}. "
            "Choose a stack of this project"
        )
    manifest = deployment.get("manifest") or {}
    return StackState(
        stack=resources[0].urn.split("::")[0].removeprefix("urn:pulumi:") if resources else "",
        resources=resources,
        cli_version=str(manifest.get("version", "")),
        updated=_moment(manifest.get("time")),
    )


def said_of(step: Step, kind: type[OllamaModelResult]) -> OllamaModelResult | None:
    """What the program of an Ollama model said; None where it has not come to its end."""
    try:
        return decode(kind, json.dumps(step.said))
    except DecodeError:
        return None


def _request(kind: type[Any], text: str) -> Request[Any]:
    request: Request[Any] = decode(Request[kind], text)  # type: ignore[valid-type]
    return request


def _resource(found: Mapping[str, Any]) -> Resource:
    return Resource(
        urn=found["urn"],
        type=found["type"],
        parent=found.get("parent", ""),
        dependencies=tuple(found.get("dependencies") or ()),
        inputs=found.get("inputs") or {},
        outputs=found.get("outputs") or {},
        modified=_moment(found.get("modified")),
    )


def _noun(resource: Resource) -> str:
    words = shlex.split(str(resource.inputs.get("create") or ""))
    return words[3] if tuple(words[1:3]) == PROGRAM and len(words) > 3 else ""  # noqa: PLR2004


def _moment(told: object) -> datetime | None:
    """A time of day as Pulumi writes it, to the microsecond that Python 3.11 reads."""
    if not isinstance(told, str) or not told:
        return None
    whole, _, rest = told.removesuffix("Z").partition(".")
    try:
        return datetime.fromisoformat(f"{whole}.{rest[:6]:0<6}+00:00")
    except ValueError:
        return None
