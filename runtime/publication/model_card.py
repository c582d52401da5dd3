"""The model card, as a hub has it: YAML for machines, then a page for people. Facts alone."""

from collections.abc import Iterator
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from plan.model_card import ModelCard
from plan.paths import MODEL_CARD
from runtime.progress.progress import figure, size

SHOWN = (
    *("stage", "finetuning_type", "template", "learning_rate", "num_train_epochs", "max_steps"),
    *("cutoff_len", "per_device_train_batch_size", "gradient_accumulation_steps"),
    *("lr_scheduler_type", "lora_rank", "lora_alpha", "quantization_bit", "seed"),
)
"""Arguments of a run that its readers ask for, in this order."""


def written(card: ModelCard) -> str:
    """The card as its file has it."""
    environment = Environment(
        loader=PackageLoader("runtime.publication"),
        autoescape=False,  # noqa: S701 - Markdown; what came from elsewhere is quoted
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = quoted
    front = yaml.safe_dump(_front(card), sort_keys=False, allow_unicode=True)
    return environment.get_template(MODEL_CARD).render(
        front=front,
        card=card,
        weights="" if card.weights_bytes is None else size(card.weights_bytes),
        runs=list(_runs(card)),
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


def _front(card: ModelCard) -> dict[str, Any]:
    """What a hub reads; of what nobody told, nothing."""
    methods = {str(run.arguments.get("finetuning_type")) for run in card.runs}
    stages = [str(run.arguments["stage"]) for run in card.runs if run.arguments.get("stage")]
    front: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": "text-generation"}
    if card.base_model:
        front |= {"base_model": card.base_model, "base_model_relation": "finetune"}
    front["tags"] = ["llama-factory", "ollama", "gguf", *sorted(methods), *dict.fromkeys(stages)]
    return front


def _runs(card: ModelCard) -> Iterator[dict[str, Any]]:
    for run in card.runs:
        yield {
            "title": run.title,
            "arguments": [(key, run.arguments[key]) for key in SHOWN if key in run.arguments],
            "figures": [
                (key, figure(float(value)))
                for key, value in run.figures.items()
                if isinstance(value, int | float)
            ],
        }
