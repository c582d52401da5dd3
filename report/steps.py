"""The steps of a stack: what each is called, how it is, and what it took."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from plan.ollama_model import OllamaModelStep
from plan.publication import PublicationStep
from plan.step import ContainerStepPlan, DatasetRegistrationStep
from report.state import StackState, Step
from report.traces import Trace
from report.words import UNKNOWN, moment, size, took

Traces = Mapping[str, Trace | None]
"""What each step left, by the URN of its resource."""


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


def component_of(step: Step) -> str:
    """Name of the component that a step is."""
    return step.resource.parent.rpartition("::")[2] or step.resource.name


def state_of(step: Step, trace: Trace | None) -> str:
    """How a step is, by what it left."""
    if isinstance(step.plan, ContainerStepPlan | OllamaModelStep):
        if trace is None:
            return "missing"
        return "complete" if trace.is_complete else "at work, or interrupted"
    return "complete" if step.said else "not done"


def step_rows(state: StackState, traces: Traces) -> Iterator[StepRow]:
    """Every step that leaves something."""
    for step in state.steps:
        trace, plan = traces[step.resource.urn], step.plan
        made = trace.made if trace and trace.made else step.resource.modified
        yield StepRow(
            key=component_of(step),
            title=getattr(plan, "title", "") or _title(step),
            noun=step.noun,
            state=state_of(step, trace),
            made=moment(made),
            took=took(trace.seconds if trace else None),
            size=size(trace.bytes) if trace else UNKNOWN,
            identity=str(getattr(plan, "identity", "")),
        )


def _title(step: Step) -> str:
    match step.plan:
        case OllamaModelStep(served_name=name):
            return f"serve {name}"
        case PublicationStep(reference=reference):
            return f"publish {reference}"
        case DatasetRegistrationStep(files=files):
            return f"register {len(files)} data set{'s' if len(files) != 1 else ''}"
    return step.noun.replace("-", " ")
