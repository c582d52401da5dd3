"""GGUF: the merged model in the file format that Ollama reads, quantized (E3)."""

from collections.abc import Mapping
from dataclasses import dataclass

from planning import paths
from planning.container import ContainerPlan
from planning.fingerprint import fingerprint
from planning.images import ImagePlan
from planning.stage import OUTPUT_MOUNT, StagePlan, then_complete
from planning.training_run import offline_environment
from stack_configs.settings.models import GgufConversionSettings, Quantization

OLLAMA_QUANTIZE: Mapping[Quantization, str] = {"q4_k_s": "q4_K_S", "q4_k_m": "q4_K_M"}
"""Quantizations that `ollama create` makes from an f16 file; the converter writes the others."""

FILE = "model.gguf"


@dataclass(frozen=True, kw_only=True)
class GgufConversionPlan(StagePlan):
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
    name: str,
    model: str,
    source: StagePlan,
    image: ImagePlan,
) -> GgufConversionPlan:
    """The conversion of a merged (or fully tuned) model."""
    quantize = OLLAMA_QUANTIZE.get(settings.quantization)
    outtype = "f16" if quantize else settings.quantization
    mark = fingerprint("gguf-conversion", image.reference, outtype, source.fingerprint)
    target = paths.partial(mark) / FILE
    return GgufConversionPlan(
        noun="gguf-conversion",
        name=name,
        title=f"convert {model} to GGUF, {outtype}",
        fingerprint=mark,
        container=ContainerPlan(
            image=image.role,
            command=then_complete(
                mark,
                f"convert_hf_to_gguf.py {source.artefact} --outfile {target} --outtype {outtype}",
            ),
            environment=offline_environment(),
            mounts=(OUTPUT_MOUNT,),
            network="none",
        ),
        quantize=quantize,
    )
