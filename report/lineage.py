"""Lineages: of each served model the steps that made it, the data it saw, the weights it is of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from plan import paths
from plan.host import HubModel, HubName
from plan.ollama_model import OllamaModelStep
from plan.step import ContainerStepPlan, DatasetFile, DatasetRegistrationStep
from plan.survey import Survey
from report.state import StackState, Step
from report.traces import Trace, trace_of

MODELSCOPE = "https://www.modelscope.cn"


@dataclass(frozen=True, kw_only=True)
class HubOrigin:
    """Where base weights of a hub come from."""

    hub: HubName
    repo: str
    commit: str
    files: tuple[str, ...]
    """Paths in the cache."""

    @property
    def page(self) -> str:
        """What the hub shows of the model."""
        return HubModel(id=self.repo, revision=self.commit, hub=self.hub).page

    @property
    def uri(self) -> str:
        """What names the weights to other programs."""
        if self.hub == "modelscope":
            return f"git+{MODELSCOPE}/{self.repo}.git@{self.commit}"
        return f"pkg:huggingface/{self.repo}@{self.commit}"


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """How one served model came to be."""

    name: str
    """As the settings call it."""
    serve: Step
    plan: OllamaModelStep
    steps: tuple[Step, ...]
    """From base weights to GGUF."""
    traces: Mapping[str, Trace | None]
    """By the step's identity."""
    datasets: tuple[DatasetFile, ...]
    """Those that a run of the model was trained or judged on."""

    @property
    def artefacts(self) -> Sequence[tuple[Step, ContainerStepPlan]]:
        """Each step with its plan."""
        return [
            (step, step.plan) for step in self.steps if isinstance(step.plan, ContainerStepPlan)
        ]

    @property
    def runs(self) -> Sequence[tuple[Step, ContainerStepPlan]]:
        """The training runs, in their order."""
        return [(step, plan) for step, plan in self.artefacts if plan.noun == "training-run"]

    @property
    def origin(self) -> HubOrigin | None:
        """The base weights, where they are of a hub."""
        for _, plan in self.artefacts:
            trace = self.traces.get(plan.identity)
            record = trace.json(paths.FETCHED) if trace else {}
            if record.get("repo") and record.get("commit"):
                return _origin(record)
        return None

    @property
    def base_folder(self) -> str | None:
        """Base weights that lie in a folder of the operator's; None for all others."""
        made = {str(plan.artefact) for _, plan in self.artefacts}
        for _, plan in self.runs:
            place = str(arguments_of(plan).get("model_name_or_path", ""))
            is_of_a_hub = place.startswith(str(paths.MODELSCOPE_CACHE))
            if place.startswith("/") and place not in made and not is_of_a_hub:
                return place
        return None

    @property
    def layers(self) -> Sequence[Mapping[str, Any]]:
        """What Ollama's manifest of the model lists; its configuration too."""
        trace = self.traces.get(self.plan.identity)
        manifest = trace.json("manifest.json") if trace else {}
        config = [manifest["config"]] if "config" in manifest else []
        return [*config, *manifest.get("layers", [])]


def lineages(state: StackState, survey: Survey) -> list[Lineage]:
    """That of every model that the stack serves."""
    return [
        _lineage(state, survey, step)
        for step in state.steps
        if isinstance(step.plan, OllamaModelStep)
    ]


def _lineage(state: StackState, survey: Survey, serve: Step) -> Lineage:
    needed = _needed(state, serve)
    steps = tuple(
        step
        for step in state.steps
        if isinstance(step.plan, ContainerStepPlan)
        and step.noun != "accelerator-check"
        and step.resource.urn in needed
    )
    plan = serve.plan
    assert isinstance(plan, OllamaModelStep)  # noqa: S101 - what `lineages` asks for
    component = serve.resource.parent.rpartition("::")[2]
    told = "\n".join(
        text
        for step in steps
        if isinstance(step.plan, ContainerStepPlan)
        for text in step.plan.files.values()
    )
    return Lineage(
        name=component.removeprefix("pipeline-").removesuffix("-ollama-model"),
        serve=serve,
        plan=plan,
        steps=steps,
        traces={
            str(getattr(step.plan, "identity", "")): trace_of(step, survey)
            for step in (*steps, serve)
        },
        datasets=tuple(file for file in _files(state) if file.target in told),
    )


def _needed(state: StackState, step: Step) -> set[str]:
    """URNs of all that a step is built on, however far back."""
    by_urn = {resource.urn: resource for resource in state.resources}
    found, left = set[str](), [step.resource.urn]
    while left:
        urn = left.pop()
        if urn not in found and urn in by_urn:
            found.add(urn)
            left += by_urn[urn].dependencies
    return found


def _files(state: StackState) -> Iterator[DatasetFile]:
    for plan in state.plans(DatasetRegistrationStep):
        yield from plan.files


def _origin(record: Mapping[str, Any]) -> HubOrigin:
    repo, commit = str(record["repo"]), str(record["commit"])
    hub: HubName = "modelscope" if record.get("hub") == "modelscope" else "huggingface"
    # ModelScope's lie where the plan looks for them: by what was asked for.
    folder = record["asked"] if hub == "modelscope" else commit
    snapshot = paths.hub_folder(hub, repo) / "snapshots" / str(folder)
    return HubOrigin(
        hub=hub,
        repo=repo,
        commit=commit,
        files=tuple(str(snapshot / str(file["name"])) for file in record.get("files", ())),
    )


def arguments_of(plan: ContainerStepPlan) -> Mapping[str, Any]:
    """The arguments of LLaMA-Factory that a step was given."""
    text = next((text for name, text in plan.files.items() if name.endswith(".yaml")), "{}")
    found = yaml.safe_load(text)
    return found if isinstance(found, dict) else {}


def settings_of(state: StackState, name: str) -> Mapping[str, Any]:
    """A model's own settings as they were resolved; empty where the state has none."""
    models = state.settings.get("models") or ()
    return next((dict(model) for model in models if model.get("name") == name), {})
