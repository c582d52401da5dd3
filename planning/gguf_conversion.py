"""GGUF: the merged model in the file format that Ollama reads, quantized (E3)."""

from collections.abc import Mapping
from dataclasses import dataclass

from plan import paths
from plan.container import Container
from plan.identity import identity
from plan.step import ContainerStepPlan
from planning.step import BUNDLED_LIBGOMP, Surroundings, offline_environment, then_complete
from stack_configs.settings.models import GgufConversionSettings, Quantization

OLLAMA_QUANTIZE: Mapping[Quantization, str] = {"q4_k_s": "q4_K_S", "q4_k_m": "q4_K_M"}
"""Quantizations that `ollama create` makes from an f16 file; the converter writes the others."""

FILE = "model.gguf"


@dataclass(frozen=True, kw_only=True)
class GgufConversionPlan(ContainerStepPlan):
    """One run of llama.cpp's converter."""

    quantize: str | None
    """What is left for `ollama create` to quantize to."""

    @property
    def file(self) -> str:
        """The GGUF file in the output volume."""
        return str(self.artefact / FILE)


def plan_gguf_conversion(
    settings: GgufConversionSettings,
    *,
    model: str,
    source: ContainerStepPlan,
    around: Surroundings,
) -> GgufConversionPlan:
    """The conversion of a merged (or fully tuned) model."""
    quantize = OLLAMA_QUANTIZE.get(settings.quantization)
    outtype = "f16" if quantize else settings.quantization
    image = around.images.converter
    mark = identity("gguf-conversion", image.recipe, outtype, source.identity)
    target = paths.partial(mark) / FILE
    return GgufConversionPlan(
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
        quantize=quantize,
    )
