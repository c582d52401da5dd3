"""Settings of a model's GGUF file: the type of its weights, and how they are rounded to it (E3)."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from stack_configs.settings.quantization import (
    NEEDS_IMPORTANCE_MATRIX,
    NOT_IN_OLLAMA,
    READS_NO_IMPORTANCE_MATRIX,
    Quantization,
)
from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import Count, StrictModel


class GgufConversionSettings(StrictModel):
    """The merged model as GGUF (E3)."""

    quantization: Annotated[
        Quantization,
        Field(
            description="Type of the weights that Ollama serves: any that llama.cpp's quantizer "
            "makes, such as `q5_K_M` or `IQ4_XS`, as Ollama or llama.cpp spells it."
        ),
    ] = "q4_k_m"
    importance_matrix: Annotated[
        bool,
        Field(
            description="Weigh the weights by what the model was trained on before they are "
            "quantized. The smallest types need it."
        ),
    ] = False
    calibration_tokens: Annotated[
        Count,
        Field(
            ge=1024,
            description="Tokens of the last run's data, at most, that the importance matrix is "
            "computed from, on processors.",
        ),
    ] = 65536

    @model_validator(mode="after")
    def _quantizer_and_ollama_take_it(self) -> Self:
        name = self.quantization
        if name in NOT_IN_OLLAMA:
            raise rule_error(
                f"Ollama cannot load quantization {name}: {NOT_IN_OLLAMA[name]}",
                "take another type, such as iq2_xxs or q2_k",
            )
        if name in NEEDS_IMPORTANCE_MATRIX and not self.importance_matrix:
            raise rule_error(
                f"the quantizer makes {name} with an importance matrix only",
                "set importance_matrix: true, or take a larger type, such as iq3_s or q3_k_s",
            )
        if self.importance_matrix and name in READS_NO_IMPORTANCE_MATRIX:
            raise rule_error(
                f"importance_matrix has no effect on quantization {name}",
                "remove it, or take another type, such as q4_k_m",
            )
        return self
