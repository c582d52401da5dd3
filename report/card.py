"""The model card, as a hub has it: YAML for machines, then a page for people. Facts alone."""

from collections.abc import Iterator
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from plan.ollama_model import OllamaModelResult
from report.chart import figure
from report.lineage import Lineage, arguments_of, settings_of
from report.state import StackState, said_of
from report.words import size

SHOWN = (
    *("stage", "finetuning_type", "template", "learning_rate", "num_train_epochs", "max_steps"),
    *("cutoff_len", "per_device_train_batch_size", "gradient_accumulation_steps"),
    *("lr_scheduler_type", "lora_rank", "lora_alpha", "quantization_bit", "seed"),
)
"""Arguments of a run that its readers ask for, in this order."""


def card_of(lineage: Lineage, state: StackState) -> str:
    """The card of one model."""
    environment = Environment(
        loader=PackageLoader("report"),
        autoescape=False,  # noqa: S701 - Markdown; what came from elsewhere is quoted
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = quoted
    said = said_of(lineage.serve, OllamaModelResult)
    front = yaml.safe_dump(_front(lineage), sort_keys=False, allow_unicode=True)
    layers = {str(layer["mediaType"]).rpartition(".")[2]: layer for layer in lineage.layers}
    return environment.get_template("model_card.md").render(
        front=front,
        lineage=lineage,
        served_name=lineage.plan.served_name,
        weights=size(int(layers["model"]["size"])) if "model" in layers else "",
        quantization=_quantization(state, lineage),
        runs=list(_runs(lineage)),
        parity=said.parity if said else {},
        answers=said.answers if said else (),
        system=_system(lineage.plan.modelfile),
    )


def quoted(text: object) -> str:
    """Text that came from elsewhere, in one line of Markdown that says nothing but that."""
    words = " ".join(str(text).split())
    ticks = "`" * (1 + max((len(run) for run in _ticks(words)), default=0))
    pad = " " if words.startswith("`") or words.endswith("`") or not words else ""
    return f"{ticks}{pad}{words}{pad}{ticks}".replace("|", "\\|")


def _ticks(text: str) -> Iterator[str]:
    run = ""
    for letter in f"{text} ":
        if letter == "`":
            run += letter
        elif run:
            yield run
            run = ""


def _front(lineage: Lineage) -> dict[str, Any]:
    """What a hub reads; of what nobody told, nothing."""
    arguments = [arguments_of(plan) for _, plan in lineage.runs]
    methods = {str(each.get("finetuning_type")) for each in arguments}
    stages = [str(each.get("stage")) for each in arguments if each.get("stage")]
    origin = lineage.origin
    front: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": "text-generation"}
    if origin:
        front |= {"base_model": origin.repo, "base_model_relation": "finetune"}
    front["tags"] = ["llama-factory", "ollama", "gguf", *sorted(methods), *dict.fromkeys(stages)]
    return front


def _runs(lineage: Lineage) -> Iterator[dict[str, Any]]:
    for step, plan in lineage.runs:
        arguments = arguments_of(plan)
        results = step.said.get("results") or {}
        yield {
            "title": plan.title,
            "arguments": [(key, arguments[key]) for key in SHOWN if key in arguments],
            "results": [
                (key, figure(float(value)))
                for key, value in results.items()
                if isinstance(value, int | float)
            ],
        }


def _quantization(state: StackState, lineage: Lineage) -> str:
    conversion = settings_of(state, lineage.name).get("gguf_conversion") or {}
    return str(conversion.get("quantization") or "")


def _system(modelfile: str) -> str:
    line = next((each for each in modelfile.splitlines() if each.startswith("SYSTEM ")), "")
    return line.removeprefix("SYSTEM ").strip('"')
