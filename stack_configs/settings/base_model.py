"""Settings of a base model: where the weights to fine-tune come from (T7)."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from plan import paths
from stack_configs.settings.model_families import MODEL_FAMILIES, Family
from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import AbsoluteFolder, HubId, Seed, StrictModel


class GeneratedModelSettings(StrictModel):
    """A tiny model with random weights: a Llama whose tokenizer is made from the data sets, or a
    family's architecture with the family's own vocabulary."""

    family: Annotated[
        Family | None,
        Field(
            description="Whose architecture and vocabulary it has. Unset: a Llama's, and a "
            "vocabulary made from the data sets."
        ),
    ] = None
    seed: Annotated[Seed, Field(description="Of the random weights.")] = 42
    hidden_size: Annotated[
        int, Field(ge=32, le=4096, multiple_of=32, description="Width of the layers.")
    ] = 256
    intermediate_size: Annotated[
        int, Field(ge=32, le=16384, multiple_of=32, description="Width inside a layer.")
    ] = 512
    layers: Annotated[int, Field(ge=1, le=16, description="Layers.")] = 2
    attention_heads: Annotated[
        int, Field(ge=1, le=128, description="Heads of a layer; they divide hidden_size.")
    ] = 4
    vocabulary_size: Annotated[
        int, Field(ge=300, le=8192, description="Tokens at most; a family has its own.")
    ] = 400

    @model_validator(mode="after")
    def _a_family_has_its_vocabulary(self) -> Self:
        if self.family is not None and "vocabulary_size" in self.model_fields_set:
            raise rule_error(
                f"vocabulary_size {self.vocabulary_size} is set, and {self.family} has a "
                "vocabulary of its own",
                "leave out one of the two",
            )
        return self

    @model_validator(mode="after")
    def _heads_share_keys(self) -> Self:
        shared = MODEL_FAMILIES[self.family].queries_per_key if self.family else 1
        if self.attention_heads % shared:
            raise rule_error(
                f"attention_heads {self.attention_heads} must be a multiple of {shared}: so many "
                f"heads of {self.family} share a key",
                "use another number of heads",
            )
        return self

    @model_validator(mode="after")
    def _heads_divide_the_hidden_size(self) -> Self:
        if (
            self.hidden_size % self.attention_heads
            or (self.hidden_size // self.attention_heads) % 2
        ):
            raise rule_error(
                f"hidden_size {self.hidden_size} must be an even multiple of attention_heads "
                f"{self.attention_heads}",
                "change one of the two",
            )
        return self


class BaseModelSettings(StrictModel):
    """Where the weights to fine-tune come from: exactly one of the four."""

    hub: Annotated[
        HubId | None,
        Field(
            description="Id on the hub, such as Qwen/Qwen2.5-7B-Instruct.",
            examples=["Qwen/Qwen2.5-7B-Instruct"],
        ),
    ] = None
    modelscope: Annotated[
        HubId | None,
        Field(
            description="Id on ModelScope, such as Qwen/Qwen2.5-7B-Instruct.",
            examples=["Qwen/Qwen2.5-7B-Instruct"],
        ),
    ] = None
    revision: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_]([A-Za-z0-9_+#@=-]|[./][A-Za-z0-9_+#@=-]){0,254}$",
            description="Branch, tag or commit on the hub. `main` is `master` on ModelScope.",
            examples=["main"],
        ),
    ] = "main"
    path: Annotated[
        AbsoluteFolder | None,
        Field(
            description="Directory inside the training container.",
            examples=[f"{paths.HF_CACHE}/my-model"],
        ),
    ] = None
    generate: GeneratedModelSettings | None = None
    parameters_b: Annotated[
        float | None,
        Field(
            ge=0.000001,
            le=100_000,
            description="Billions of weights, for the memory estimate. Unset: as config.json "
            "or the name says.",
        ),
    ] = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        sources = ("hub", "modelscope", "path", "generate")
        given = [key for key in sources if getattr(self, key) is not None]
        if len(given) != 1:
            raise rule_error(
                f"exactly one of hub, modelscope, path and generate must be set, found "
                f"{given or 'none'}",
                "keep one of them",
            )
        return self
