"""The card of a model, of what the state and the traces of its steps tell."""

from plan.model_card import CardRun, ModelCard
from plan.ollama_model import OllamaModelResult
from report.lineage import Lineage, arguments_of, settings_of
from report.state import StackState, said_of
from runtime.publication.model_card import written


def card_of(lineage: Lineage, state: StackState) -> str:
    """The card of one model."""
    said = said_of(lineage.serve, OllamaModelResult)
    layers = {str(layer["mediaType"]).rpartition(".")[2]: layer for layer in lineage.layers}
    conversion = settings_of(state, lineage.name).get("gguf_conversion") or {}
    origin = lineage.origin
    card = ModelCard(
        title=lineage.name,
        pulled_as=lineage.plan.served_name,
        identity=lineage.plan.identity,
        base_model=origin.repo if origin else "",
        base_page=origin.page if origin else "",
        commit=origin.commit if origin else "",
        quantization=str(conversion.get("quantization") or ""),
        system=_system(lineage.plan.modelfile),
        datasets=lineage.datasets,
        runs=tuple(
            CardRun(
                title=plan.title,
                arguments=arguments_of(plan),
                figures=step.said.get("results") or {},
            )
            for step, plan in lineage.runs
        ),
        weights_bytes=int(layers["model"]["size"]) if "model" in layers else None,
        parity=said.parity if said else {},
        answers=said.answers if said else (),
    )
    return written(card)


def _system(modelfile: str) -> str:
    line = next((each for each in modelfile.splitlines() if each.startswith("SYSTEM ")), "")
    return line.removeprefix("SYSTEM ").strip('"')
