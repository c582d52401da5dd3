"""What a stack is still to write: weights as fetched, trained, merged, converted and served.

Estimates, by the number of weights: they are told, and warned of where the disk is too small.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from plan.host import HostFacts, Tokens
from plan.pipeline import PipelinePlan
from plan.problem import Problem
from plan.step import ContainerStepPlan
from planning.gguf_conversion import TO_QUANTIZE, converted_to, quantized_by_ollama
from planning.hub_model import hub_model_of
from planning.memory.model_size import billions_of
from planning.training_run import TrainingRunPlan
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.quantization import BITS_PER_WEIGHT, QuantizationName
from stack_configs.settings.root import Settings

TRAINED_BITS = 16.0
"""Of a weight as hubs have it, and as merges and whole trainings save it."""

LEAST_TOLD_GB = 0.05
"""Below it a copy is 0.0 GB in words."""


@dataclass(frozen=True, kw_only=True)
class Write:
    """One copy of a model's weights that is not there yet."""

    model: str
    what: str
    gb: float
    is_at_data_root: bool
    """In a volume of the engine, and not in a directory of the host."""

    def __str__(self) -> str:
        return f"{self.gb:.1f} GB {self.what}"


def forecast_writes(
    settings: Settings, plan: PipelinePlan, facts: HostFacts, tokens: Tokens
) -> tuple[Write, ...]:
    """Everything that is still to be written, in order; nothing of models of an unknown size.

    What several models share is written once. Where nobody looked, nothing is there.
    """
    seen: set[str] = set()
    found: list[Write] = []
    for model, planned in zip(settings.models, plan.models, strict=True):
        billions = _billions(model, facts)
        if billions is None:
            continue
        for step in planned.steps:
            bits, what = _copy(model, step)
            if bits and step.identity not in seen and _is_to_be_made(step.name, tokens):
                volume = plan.volumes.mounted_at(step.volume)
                in_volume = volume.host_path is None
                found.append(_write(model, what, billions * bits, is_at_data_root=in_volume))
            seen.add(step.identity)
        # Ollama keeps a file by its content.
        served = f"served {planned.steps[-1].identity} {quantized_by_ollama(model.gguf_conversion)}"
        if served not in seen and _is_to_be_made(planned.ollama_model.name, tokens):
            in_volume = plan.volumes.ollama.host_path is None
            for what, bits in _served(model):
                found.append(_write(model, what, billions * bits, is_at_data_root=in_volume))
        seen.add(served)
    return tuple(found)


def tell_writes(writes: Sequence[Write]) -> Iterator[str]:
    """One line for each model; nothing of copies that are too small to plan for."""
    told = [write for write in writes if write.gb >= LEAST_TOLD_GB]
    for model in dict.fromkeys(write.model for write in told):
        parts = ", ".join(str(write) for write in told if write.model == model)
        yield f"{model}: about {parts}"


def about_room(writes: Sequence[Write], facts: HostFacts) -> Iterator[Problem]:
    """More than there is room for at the engine's data root."""
    counted = [write for write in writes if write.is_at_data_root]
    needed, free = sum(write.gb for write in counted), facts.disk_free_gb
    if free is not None and needed > free:
        models = list(dict.fromkeys(write.model for write in counted))
        yield Problem(
            "models[].name",
            ", ".join(models),
            f"about {needed:.0f} GB are still to be written, and {free:g} GB are free at the "
            "engine's data root",
            "Make room there, name a directory of a larger disk in volumes.output.host_path, or "
            "choose a smaller gguf_conversion.quantization",
        )


def _write(model: ModelSettings, what: str, gigabits: float, *, is_at_data_root: bool) -> Write:
    return Write(model=model.name, what=what, gb=gigabits / 8, is_at_data_root=is_at_data_root)


def _is_to_be_made(name: str, tokens: Tokens) -> bool:
    return not tokens.steps or name in tokens.missing


def _billions(model: ModelSettings, facts: HostFacts) -> float | None:
    """Of weights: as set, of the model's shape or named, else by its files' size on the hub."""
    if (known := billions_of(model.base_model, facts)) is not None:
        return known
    asked = hub_model_of(model.base_model)
    told = facts.hub_models.get(asked.key) if asked else None
    return None if told is None or told.size_gb is None else told.size_gb * 8 / TRAINED_BITS


def _copy(model: ModelSettings, step: ContainerStepPlan) -> tuple[float, str]:
    """Bits for each weight that a step writes, and what they are; 0 where it writes none."""
    conversion = model.gguf_conversion
    match step.noun:
        case "base-model":
            return TRAINED_BITS, "fetched"
        case "merge":
            return TRAINED_BITS, "merged"
        case "training-run" if isinstance(step, TrainingRunPlan) and not step.yields_adapter:
            return TRAINED_BITS, "trained"
        case "gguf-conversion":
            outtype = converted_to(conversion)
            return BITS_PER_WEIGHT[outtype], f"as GGUF in {outtype}"
        case "quantization":
            return BITS_PER_WEIGHT[conversion.quantization], f"in {conversion.quantization}"
    return 0.0, ""


def _served(model: ModelSettings) -> Iterator[tuple[str, float]]:
    name: QuantizationName = model.gguf_conversion.quantization
    if quantized_by_ollama(model.gguf_conversion):
        yield "in Ollama while it quantizes", BITS_PER_WEIGHT[TO_QUANTIZE]
    yield f"in Ollama in {name}", BITS_PER_WEIGHT[name]
