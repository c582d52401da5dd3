"""What the page shows: every section's facts, out of the state and the look at the host."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import yaml

from plan.step import DatasetRegistrationStep
from report.evaluations import EvaluationView, evaluation_views
from report.graph import Graph, graph_of
from report.images import ImageRow, image_rows
from report.look import HostSight
from report.models import ModelView, model_views
from report.runs import RunView, memory_rows, run_views, time_rows
from report.sbom.bills import Bill
from report.state import StackState
from report.steps import StepRow, Traces, step_rows
from report.traces import trace_of
from report.words import moment, size, took, without_secrets


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
    evaluations: tuple[EvaluationView, ...]
    memory: tuple[tuple[str, str, str], ...]
    """Run, foretold and measured."""
    times: tuple[tuple[str, str, str], ...]
    """Likewise."""
    settings: tuple[tuple[str, str], ...]
    """Section and its YAML."""
    facts: tuple[tuple[str, str], ...]
    images: tuple[ImageRow, ...]
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


def page_of(
    state: StackState, sight: HostSight, bills: Sequence[Bill] = (), *, now: datetime
) -> Page:
    """Everything that the page says."""
    traces = {step.resource.urn: trace_of(step, sight.survey) for step in state.steps}
    models = tuple(model_views(state, traces))
    steps = tuple(step_rows(state, traces))
    runs = tuple(run_views(state, traces, sight.survey))
    return Page(
        stack=state.stack,
        made=moment(now),
        updated=moment(state.updated),
        tiles=tuple(_tiles(state, models, runs, traces)),
        graph=graph_of(state),
        steps=steps,
        runs=runs,
        models=models,
        evaluations=tuple(evaluation_views(state, sight.survey)),
        memory=tuple(memory_rows(state)),
        times=tuple(time_rows(state, traces)),
        settings=tuple(_settings(state)),
        facts=tuple(_facts(state, sight)),
        images=tuple(image_rows(sight, bills)),
        datasets=tuple(
            (file.name, file.source, file.digest)
            for plan in state.plans(DatasetRegistrationStep)
            for file in plan.files
        ),
        urls=tuple(_urls(state)),
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
