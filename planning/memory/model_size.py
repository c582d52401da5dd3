"""A base model's shape and size: from its own configuration, else from its name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from plan.host import HostFacts
from plan.model_shape import ModelShape
from planning.hub_model import hub_model_of
from stack_configs.settings.base_model import BaseModelSettings, GeneratedModelSettings
from stack_configs.settings.model_families import MODEL_FAMILIES

TYPICAL: tuple[ModelShape, ...] = tuple(
    ModelShape(
        model_type="llama",
        layers=layers,
        hidden=hidden,
        heads=hidden // 128,
        kv_heads=8,
        head_size=128,
        intermediate=intermediate,
        vocabulary=128256,
        is_tied=is_tied,
    )
    for layers, hidden, intermediate, is_tied in (
        (16, 2048, 8192, True),
        (28, 3072, 8192, True),
        (32, 4096, 14336, False),
        (80, 8192, 28672, False),
        (126, 16384, 53248, False),
    )
)
"""Llama 3 of 1, 3, 8, 70 and 405 billion weights: what a model is like of which the size alone is
known."""


@dataclass(frozen=True, kw_only=True)
class Linear:
    """One linear layer that each of a model's layers has."""

    name: str
    inputs: int
    outputs: int
    copies: int = 1
    """As many as there are experts, of those that each expert has."""

    @property
    def weights(self) -> int:
        """How many it has."""
        return self.inputs * self.outputs * self.copies


def linears_of(shape: ModelShape) -> tuple[Linear, ...]:
    """The linear layers of one layer, named as most architectures name them."""
    return tuple(_linears(shape))


def _linears(shape: ModelShape) -> Iterator[Linear]:
    hidden, inner, experts = shape.hidden, shape.intermediate, shape.experts
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    if shape.model_type in FUSED:
        yield Linear(name="qkv_proj", inputs=hidden, outputs=queries + 2 * keys)
    else:
        yield Linear(name="q_proj", inputs=hidden, outputs=queries)
        yield Linear(name="k_proj", inputs=hidden, outputs=keys)
        yield Linear(name="v_proj", inputs=hidden, outputs=keys)
    yield Linear(name="o_proj", inputs=queries, outputs=hidden)
    if shape.model_type in FUSED:
        yield Linear(name="gate_up_proj", inputs=hidden, outputs=2 * inner, copies=experts)
    else:
        yield Linear(name="gate_proj", inputs=hidden, outputs=inner, copies=experts)
        yield Linear(name="up_proj", inputs=hidden, outputs=inner, copies=experts)
    yield Linear(name="down_proj", inputs=inner, outputs=hidden, copies=experts)


FUSED = ("phi3",)
"""Architectures that compute queries, keys and values in one motion, and gate and up as well."""


def layer_weights(shape: ModelShape) -> int:
    """How many one layer has, its two norms included."""
    return sum(linear.weights for linear in linears_of(shape)) + 2 * shape.hidden


def embedding_weights(shape: ModelShape) -> int:
    """How many the embedding has, and the output layer where it is another one."""
    return shape.vocabulary * shape.hidden * (1 if shape.is_tied else 2)


def weights_of(shape: ModelShape) -> int:
    """How many the whole model has."""
    return shape.layers * layer_weights(shape) + embedding_weights(shape) + shape.hidden


def shape_of(settings: BaseModelSettings, facts: HostFacts) -> ModelShape | None:
    """The shape of a base model; None where nobody knows even its size."""
    if settings.generate is not None:
        return _generated(settings.generate)
    if settings.parameters_b is None and (known := _told(settings, facts)) is not None:
        return known
    billions = parameters_b(settings)
    return None if billions is None else shape_of_size(billions)


def billions_of(settings: BaseModelSettings, facts: HostFacts) -> float | None:
    """Billions of weights: as set, else of the shape that is known or taken for the model's."""
    shape = shape_of(settings, facts)
    return None if shape is None else settings.parameters_b or weights_of(shape) / 1e9


def parameters_b(settings: BaseModelSettings) -> float | None:
    """Billions of weights: as set, or as the model's name says (`Meta-Llama-3-8B`)."""
    if settings.parameters_b is not None:
        return settings.parameters_b
    source = settings.hub or settings.modelscope or settings.path or ""
    found = re.search(r"(?<![0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)[bB](?![a-zA-Z0-9])", source)
    # `8x7B`: every expert lies in memory; what they share makes this a little too much.
    return int(found[1] or 1) * float(found[2]) if found else None


def shape_of_size(billions: float) -> ModelShape:
    """A shape with so many weights: the typical one that is nearest, with more layers or fewer."""
    wanted = billions * 1e9

    def layers_for(shape: ModelShape) -> float:
        return (wanted - embedding_weights(shape) - shape.hidden) / layer_weights(shape)

    nearest = min(TYPICAL, key=lambda shape: abs(layers_for(shape) / shape.layers - 1))
    return ModelShape(**{**vars(nearest), "layers": max(1, round(layers_for(nearest)))})


def _told(settings: BaseModelSettings, facts: HostFacts) -> ModelShape | None:
    if (model := hub_model_of(settings)) is not None:
        told = facts.hub_models.get(model.key)
        return told.shape if told else None
    folder = facts.model_folders.get(settings.path or "")
    return folder.shape if folder else None


def _generated(settings: GeneratedModelSettings) -> ModelShape:
    family = MODEL_FAMILIES[settings.family] if settings.family else None
    heads = settings.attention_heads
    own_width = family.head_dim if family else None
    return ModelShape(
        model_type=str(family.config["model_type"]) if family else "llama",
        layers=settings.layers,
        hidden=settings.hidden_size,
        heads=heads,
        kv_heads=heads // (family.queries_per_key if family else 1),
        head_size=own_width or settings.hidden_size // heads,
        intermediate=settings.intermediate_size,
        vocabulary=int(family.config["vocab_size"]) if family else settings.vocabulary_size,
        is_tied=bool(family and family.config["tie_word_embeddings"]),
        weight_bytes=4,
    )
