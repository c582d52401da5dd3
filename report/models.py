"""The models of a stack as they are served."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from plan.ollama_model import OllamaModelResult, OllamaModelStep
from report.state import StackState, said_of
from report.steps import Traces, component_of
from report.words import size


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


def model_views(state: StackState, traces: Traces) -> Iterator[ModelView]:
    """Every model."""
    for step in state.steps:
        plan, trace = step.plan, traces[step.resource.urn]
        if not isinstance(plan, OllamaModelStep):
            continue
        said = said_of(step, OllamaModelResult)
        layers = trace.json("manifest.json").get("layers", []) if trace else []
        yield ModelView(
            name=component_of(step).removeprefix("pipeline-").removesuffix("-ollama-model"),
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
