"""GGUF: the merged model in the file format that Ollama reads (E3)."""

from collections.abc import Mapping

from plan import paths
from plan.container import Container
from plan.identity import identity
from plan.step import ContainerStepPlan
from planning.step import BUNDLED_LIBGOMP, Surroundings, offline_environment, then_complete
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
    """One run of llama.cpp's converter, on a merged (or fully tuned) model."""
    outtype = converted_to(settings)
    image = around.images.converter
    mark = identity("gguf-conversion", image.recipe, outtype, source.identity)
    target = paths.partial(mark) / FILE
    return ContainerStepPlan(
        noun="gguf-conversion",
        name=around.name(model, "gguf-conversion"),
        title=f"convert {model} to GGUF, {outtype}",
        identity=mark,
        container=Container(
            image=image.reference,
            command=then_complete(
                mark,
                f"convert_hf_to_gguf.py {source.artefact} --outfile {target} --outtype {outtype}",
            ),
            environment=offline_environment(),
            mounts=(around.volumes.output.mount(),),
            limits=around.limits,
            read_only_root=around.read_only_root,
        ),
        preload=BUNDLED_LIBGOMP,
    )
