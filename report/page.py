"""What the page shows: every section's facts, out of the state and the look at the host."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import yaml

from plan.step import ContainerStepPlan, DatasetRegistrationStep, OllamaModelResult, OllamaModelStep
from report.changes import Change, changes_between
from report.chart import Chart, chart_of, figure
from report.curves import panels_of
from report.graph import Graph, graph_of
from report.look import HostSight
from report.state import StackState, Step, said_of
from report.traces import Trace, earlier_traces, trace_of
from report.words import UNKNOWN, moment, size, took, without_secrets

FIGURES = {
    "train_loss": "mean loss",
    "eval_loss": "evaluation loss",
    "eval_accuracy": "evaluation accuracy",
    "train_runtime": "seconds",
    "train_samples_per_second": "samples per second",
    "epoch": "epochs",
}
"""Of a run's results, what a person asks for first."""


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """One step in the table of steps, and in its node of the graph."""

    key: str
    """Name of its component."""
    title: str
    noun: str
    state: str
    made: str
    took: str
    size: str
    identity: str

    @property
    def measured(self) -> str:
        """What is known of its time and size."""
        return " · ".join(told for told in (self.took, self.size) if told != UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class RunView:
    """One training run."""

    key: str
    title: str
    identity: str
    state: str
    figures: tuple[tuple[str, str], ...]
    charts: tuple[Chart, ...]
    changes: tuple[Change, ...] | None
    """None where no run before is there to compare with."""
    before: str
    """When the run before was made."""


@dataclass(frozen=True, kw_only=True)
class ModelView:
    """One model as it is served."""

    name: str
    served_name: str
    is_served: bool
    parity: Mapping[str, str]
    answers: Sequence[Mapping[str, str]]
    layers: Sequence[tuple[str, str, str]]
    """Kind, size and digest of each layer."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """All of it."""

    stack: str
    made: str
    updated: str
    tiles: tuple[tuple[str, str, str], ...]
    """Label, figure and a word about it."""
    graph: Graph
    steps: tuple[StepRow, ...]
    runs: tuple[RunView, ...]
    models: tuple[ModelView, ...]
    memory: tuple[tuple[str, str, str], ...]
    """Run, foretold and measured."""
    settings: tuple[tuple[str, str], ...]
    """Section and its YAML."""
    facts: tuple[tuple[str, str], ...]
    images: tuple[tuple[str, str, str], ...]
    datasets: tuple[tuple[str, str, str], ...]
    urls: tuple[tuple[str, str], ...]

    @property
    def compared(self) -> Sequence[ModelView]:
        """The models that were compared with their training."""
        return [model for model in self.models if model.parity]

    @property
    def shapes(self) -> Sequence[str]:
        """Every conversation that a model was compared in, once."""
        return list(dict.fromkeys(shape for model in self.models for shape in model.parity))

    @property
    def by_key(self) -> Mapping[str, StepRow]:
        """The steps by their component."""
        return {row.key: row for row in self.steps}


def page_of(state: StackState, sight: HostSight, *, now: datetime) -> Page:
    """Everything that the page says."""
    traces = {step.resource.urn: trace_of(step, sight.survey) for step in state.steps}
    models = tuple(_models(state, traces))
    steps = tuple(_steps(state, traces))
    runs = tuple(_runs(state, traces, sight))
    return Page(
        stack=state.stack,
        made=moment(now),
        updated=moment(state.updated),
        tiles=tuple(_tiles(state, models, runs, traces)),
        graph=graph_of(state),
        steps=steps,
        runs=runs,
        models=models,
        memory=tuple(_memory(state)),
        settings=tuple(_settings(state)),
        facts=tuple(_facts(state, sight)),
        images=tuple(
            (image.reference, image.repo_digest or image.id, size(image.bytes))
            for image in sight.images
        ),
        datasets=tuple(
            (file.name, file.source, file.digest)
            for plan in state.plans(DatasetRegistrationStep)
            for file in plan.files
        ),
        urls=tuple(_urls(state)),
    )


Traces = Mapping[str, Trace | None]


def _component(state: StackState, step: Step) -> str:
    return step.resource.parent.rpartition("::")[2] or step.resource.name


def _state_of(step: Step, trace: Trace | None) -> str:
    if isinstance(step.plan, ContainerStepPlan | OllamaModelStep):
        if trace is None:
            return "missing"
        return "complete" if trace.is_complete else "at work, or interrupted"
    return "complete" if step.said else "not done"


def _steps(state: StackState, traces: Traces) -> Iterator[StepRow]:
    for step in state.steps:
        trace, plan = traces[step.resource.urn], step.plan
        made = trace.made if trace and trace.made else step.resource.modified
        yield StepRow(
            key=_component(state, step),
            title=getattr(plan, "title", "") or _title(step),
            noun=step.noun,
            state=_state_of(step, trace),
            made=moment(made),
            took=took(trace.seconds if trace else None),
            size=size(trace.bytes) if trace else UNKNOWN,
            identity=str(getattr(plan, "identity", "")),
        )


def _title(step: Step) -> str:
    match step.plan:
        case OllamaModelStep(served_name=name):
            return f"serve {name}"
        case DatasetRegistrationStep(files=files):
            return f"register {len(files)} data set{'s' if len(files) != 1 else ''}"
    return step.noun.replace("-", " ")


def _runs(state: StackState, traces: Traces, sight: HostSight) -> Iterator[RunView]:
    for step in state.steps:
        plan, trace = step.plan, traces[step.resource.urn]
        if step.noun != "training-run" or not isinstance(plan, ContainerStepPlan):
            continue
        earlier = next(iter(earlier_traces(step, sight.survey)), None)
        results = step.said.get("results") or (trace.json(plan.results or "") if trace else {})
        yield RunView(
            key=_component(state, step),
            title=plan.title,
            identity=plan.identity,
            state=_state_of(step, trace),
            figures=tuple(
                (label, figure(float(results[key])))
                for key, label in FIGURES.items()
                if isinstance(results.get(key), int | float)
            ),
            charts=tuple(chart_of(panel) for panel in panels_of(trace, earlier)) if trace else (),
            changes=tuple(changes_between(earlier, trace)) if earlier and trace else None,
            before=moment(earlier.made) if earlier else "",
        )


def _models(state: StackState, traces: Traces) -> Iterator[ModelView]:
    for step in state.steps:
        plan, trace = step.plan, traces[step.resource.urn]
        if not isinstance(plan, OllamaModelStep):
            continue
        said = said_of(step, OllamaModelResult)
        layers = trace.json("manifest.json").get("layers", []) if trace else []
        yield ModelView(
            name=_component(state, step).removeprefix("pipeline-").removesuffix("-ollama-model"),
            served_name=plan.served_name,
            is_served=trace is not None,
            parity=said.parity if said else {},
            answers=said.answers if said else (),
            layers=[
                (
                    str(layer["mediaType"]).rpartition(".")[2],
                    size(int(layer["size"])),
                    str(layer["digest"]),
                )
                for layer in layers
            ],
        )


def _tiles(
    state: StackState, models: Sequence[ModelView], runs: Sequence[RunView], traces: Traces
) -> Iterator[tuple[str, str, str]]:
    served = [model for model in models if model.is_served]
    names = ", ".join(model.served_name for model in served)
    yield "Models that answer", f"{len(served)} of {len(models)}", names
    shapes = [told for model in models for told in model.parity.values()]
    if shapes:
        equal = sum(not told for told in shapes)
        yield "Asked as trained", f"{equal} of {len(shapes)}", "conversations, token by token"
    losses = [chart for run in runs for chart in run.charts if chart.title == "Loss"]
    if len(losses) == 1 and losses[0].lines:
        yield "Loss at the end", losses[0].lines[0].last, runs[0].title
    elif losses:
        yield "Training runs", str(len(runs)), "each with its curves below"
    kept = [trace for trace in traces.values() if trace is not None]
    yield "On disk", size(sum(trace.bytes for trace in kept)), "what the steps have made"
    seconds = [trace.seconds for trace in kept if trace.seconds is not None]
    if seconds:
        yield "Time at work", took(sum(seconds)), "of the steps that were watched"


def _memory(state: StackState) -> Iterator[tuple[str, str, str]]:
    """Of runs whose memory somebody foretold or measured."""
    for step in state.steps:
        if step.noun != "training-run":
            continue
        results = step.said.get("results") or {}
        begun = results.get("before_init_mem_gpu")
        peak = [results.get(f"train_mem_gpu_{part}_delta") for part in ("alloc", "peaked")]
        before = [begun, results.get("init_mem_gpu_alloc_delta"), *peak]
        if all(isinstance(part, int | float) for part in before):
            measured = size(sum(part for part in before if part is not None))
            yield str(getattr(step.plan, "title", step.noun)), "", measured


def _settings(state: StackState) -> Iterator[tuple[str, str]]:
    for section, value in without_secrets(state.settings).items():
        text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=96)
        yield section, text.removesuffix("...\n")


def _facts(state: StackState, sight: HostSight) -> Iterator[tuple[str, str]]:
    info = sight.engine
    yield "Pulumi", state.cli_version
    yield "Docker engine", str(info.get("ServerVersion", ""))
    yield "Host", f"{info.get('Name', '')}, {info.get('OperatingSystem', '')}"
    cores, memory = int(info.get("NCPU", 0)), size(int(info.get("MemTotal", 0)))
    yield "Processors and memory", f"{cores}, {memory}, {info.get('Architecture', '')}"
    yield (
        "Disk of the output volume",
        (f"{size(sight.survey.disk_free_bytes)} free of {size(sight.survey.disk_bytes)}"),
    )
    for accelerator in state.outputs.get("accelerators") or ():
        yield "Accelerator", f"{accelerator['name']}, {accelerator['memory_gb']} GB"
    for role, name in (state.outputs.get("volumes") or {}).items():
        yield f"Volume {role}", str(name)


def _urls(state: StackState) -> Iterator[tuple[str, str]]:
    for key, label in (("ollama_url", "Ollama"), ("board_url", "LLaMA Board"), ("api_url", "API")):
        if isinstance(url := state.outputs.get(key), str) and url:
            yield label, url


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)
