"""Generated models of a real family: its architecture and vocabulary, random weights (T7)."""

import json
from dataclasses import asdict
from typing import Any

from plan import paths
from plan.container import Container
from plan.identity import identity
from plan.step import ContainerStepPlan
from planning.step import (
    BUNDLED_LIBGOMP,
    IN_CONTAINER,
    Surroundings,
    offline_environment,
    then_complete,
)
from stack_configs.settings.base_model import GeneratedModelSettings
from stack_configs.settings.model_families import MODEL_FAMILIES, Family

PROGRAM = "family_model.py"
PROGRAMS = (PROGRAM, "sentencepiece_file.py")
PARAMETERS = "parameters.json"

CONVERTER = "/opt/llama.cpp"
"""In the converter's image."""
CONTEXT_LENGTH = 2048

RECIPE = 1
"""Raise it when the program makes another model of the same parameters."""


def plan_family_model(
    settings: GeneratedModelSettings, *, family: Family, model: str, around: Surroundings
) -> ContainerStepPlan:
    """The step that writes it, in the image that carries the vocabularies.

    The vocabulary is told from another by its checksum, not by the image that brought it.
    """
    parameters = render_family(settings, family)
    mark = identity("family-model", around.images.llamafactory.recipe, parameters, RECIPE)
    folder = paths.partial(mark)
    return ContainerStepPlan(
        noun="base-model",
        name=around.name(model, "base-model"),
        title=f"generate the base model of {model}: {family}",
        identity=mark,
        container=Container(
            image=around.images.converter.reference,
            command=then_complete(
                mark,
                f"python {folder / PROGRAM} {folder / PARAMETERS} {CONVERTER}/models {folder}",
            ),
            environment={**offline_environment(), "PYTHONPATH": f"{CONVERTER}/gguf-py"},
            mounts=(around.volumes.output.mount(),),
        ),
        files={PARAMETERS: parameters},
        uploads={name: f"{IN_CONTAINER}/{name}" for name in PROGRAMS},
        preload=BUNDLED_LIBGOMP,
    )


def render_family(settings: GeneratedModelSettings, family: Family) -> str:
    """The JSON that the program reads."""
    made = MODEL_FAMILIES[family]
    heads = settings.attention_heads
    config: dict[str, Any] = {
        **made.config,
        "dtype": "float32",
        "hidden_size": settings.hidden_size,
        "intermediate_size": settings.intermediate_size,
        "max_position_embeddings": CONTEXT_LENGTH,
        "num_attention_heads": heads,
        "num_hidden_layers": settings.layers,
        "num_key_value_heads": heads // made.queries_per_key,
        **({"head_dim": made.head_dim} if made.head_dim else {}),
    }
    content = {
        "seed": settings.seed,
        "vocabulary": made.vocabulary.name,
        "sha256": made.vocabulary.sha256,
        "tokens": made.tokens,
        "added_tokens": [asdict(token) for token in made.added_tokens],
        "pre_tokenizer": made.words,
        "whole_words": made.whole_words,
        "prepends_space": made.prepends_space,
        "tokenizer_config": made.tokenizer,
        "config": config,
    }
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
