"""GGUF: the merged model in the file format that Ollama reads (E3)."""

import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath

from plan import paths
from plan.container import Container, Mount
from plan.identity import identity
from plan.step import ContainerStepPlan
from planning.chat_parity import TEXT_BEGINNINGS
from planning.step import (
    BUNDLED_LIBGOMP,
    IN_CONTAINER,
    Surroundings,
    offline_environment,
    then_complete,
)
from planning.weights import Weights
from stack_configs.settings.gguf_conversion import GgufConversionSettings
from stack_configs.settings.quantization import QuantizationName

WRITTEN_BY_THE_CONVERTER: frozenset[QuantizationName] = frozenset({"f32", "f16", "bf16", "q8_0"})
TO_QUANTIZE: QuantizationName = "f16"
"""What every other type is made from."""

OLLAMA_QUANTIZE: Mapping[QuantizationName, str] = {"q4_k_s": "q4_K_S", "q4_k_m": "q4_K_M"}
"""What `ollama create` makes as llama.cpp does, but without an importance matrix: a stack that asks
for nothing else builds no quantizer."""

FILE = "model.gguf"
"""In the artefact of a conversion, and of a quantization."""
PROGRAM = "convert.py"
UPLOADS = {name: f"{IN_CONTAINER}/{name}" for name in (PROGRAM, TEXT_BEGINNINGS)}

RECIPE = 1
"""Raise it when the program converts in another way: an edit of it alone makes nothing again."""


def quantized_by_ollama(settings: GgufConversionSettings) -> str | None:
    """What is left for `ollama create` to quantize to; None where the file has its type already."""
    return None if settings.importance_matrix else OLLAMA_QUANTIZE.get(settings.quantization)


def needs_quantizer(settings: GgufConversionSettings) -> bool:
    """Whether the converter's file goes through llama.cpp's quantizer."""
    return (
        settings.quantization not in WRITTEN_BY_THE_CONVERTER
        and quantized_by_ollama(settings) is None
    )


def converted_to(settings: GgufConversionSettings) -> QuantizationName:
    """The type that the converter writes."""
    asked = settings.quantization
    return asked if asked in WRITTEN_BY_THE_CONVERTER else TO_QUANTIZE


def plan_gguf_conversion(
    settings: GgufConversionSettings,
    *,
    model: str,
    source: ContainerStepPlan,
    around: Surroundings,
) -> ContainerStepPlan:
    """The conversion of a merged (or fully tuned) model."""
    return _plan(
        settings,
        name=around.name(model, "gguf-conversion"),
        what=model,
        source=str(source.artefact),
        reads=(str(source.artefact),),
        made_of=source.identity,
        mounts=(around.volumes.output.mount(),),
        around=around,
    )


def plan_base_conversion(
    settings: GgufConversionSettings, *, model: str, weights: Weights, around: Surroundings
) -> ContainerStepPlan:
    """The conversion of what training began with, for an evaluation to ask."""
    if PurePosixPath(weights.model).is_absolute():
        source = shlex.quote(weights.model)
    else:
        look = (
            "from huggingface_hub import snapshot_download as find; "
            f"print(find({weights.model!r}, revision={weights.revision!r}, local_files_only=True))"
        )
        source = f'"$(python -c {shlex.quote(look)})"'
    return _plan(
        settings,
        name=around.name(model, "base-gguf-conversion"),
        what=f"the base of {model}",
        source=source,
        reads=weights.artefacts,
        made_of=weights.made_of,
        mounts=around.volumes.training_mounts,
        around=around,
    )


def _plan(
    settings: GgufConversionSettings,
    *,
    name: str,
    what: str,
    source: str,
    reads: tuple[str, ...],
    made_of: object,
    mounts: tuple[Mount, ...],
    around: Surroundings,
) -> ContainerStepPlan:
    outtype = converted_to(settings)
    image = around.images.converter
    mark = identity("gguf-conversion", image.recipe, outtype, made_of, RECIPE)
    folder = paths.partial(mark)
    return ContainerStepPlan(
        noun="gguf-conversion",
        name=name,
        title=f"convert {what} to GGUF, {outtype}",
        identity=mark,
        reads=reads,
        container=Container(
            image=image.reference,
            command=then_complete(
                mark,
                f"python {folder / PROGRAM} {source} --outfile {folder / FILE} --outtype {outtype}",
            ),
            environment=offline_environment(),
            mounts=mounts,
            limits=around.limits,
            read_only_root=around.read_only_root,
        ),
        uploads=UPLOADS,
        preload=BUNDLED_LIBGOMP,
    )
