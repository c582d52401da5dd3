"""Settings of the images: what is built, from what, and through which mirrors (F1-F4, F8)."""

import os
import re
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from stack_configs.settings.built_image import BuiltImageSettings
from stack_configs.settings.llamafactory_image import LlamaFactoryImageSettings
from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import (
    ImageReference,
    StrictModel,
    Url,
    Version,
    found_from_the_settings,
)

OLDEST_OLLAMA = (0, 11, 5)
"""The first that tells how it writes a conversation (`_debug_render_only`): without that, nothing
can be said about a model's parity with its training."""

FIRST_OLLAMA_ON_GO_1_26 = (0, 23, 2)
"""Debian's Go, which the build installs on the base that it has of itself, is 1.24."""

FIRST_OLLAMA_ON_LLAMA_SERVER = (0, 30, 0)
"""Its module lacks the sources of the server that it runs models with."""


class OllamaImageSettings(BuiltImageSettings):
    """The image that serves models."""

    version: Annotated[
        Version, Field(description="Release of Ollama, 0.11.5 or later.", examples=["0.24.0"])
    ] = "0.17.4"
    build: Annotated[
        bool,
        Field(
            description="Build it from source, for processors. Unset: ollama/ollama of this "
            "version, and of the hardware where it has an image for it."
        ),
    ] = False

    @model_validator(mode="after")
    def _built_or_pulled(self) -> Self:
        if self.build and self.image is not None:
            raise rule_error(
                f"build is true, so image {self.image} has no effect", "keep one of the two"
            )
        if self.base_image is not None and not self.build:
            raise rule_error("base_image has no effect unless build is true", "set build: true")
        return self

    @model_validator(mode="after")
    def _known_to_prove_parity(self) -> Self:
        # An image of one's own may be of any version; the server itself is asked then.
        if self.image is not None or (release := _release(self.version)) is None:
            return self
        if release < OLDEST_OLLAMA:
            raise rule_error(
                f"Ollama {self.version} does not tell how it writes a conversation, so that no "
                "model could be proved to be asked as it was trained",
                "take 0.11.5 or later, or leave version unset",
            )
        if self.build and release >= FIRST_OLLAMA_ON_LLAMA_SERVER:
            raise rule_error(
                f"Ollama {self.version} cannot be built from its module, which lacks the server "
                "that it runs models with since 0.30",
                "take a version below 0.30, or leave build unset to pull the image",
            )
        if self.build and self.base_image is None and release >= FIRST_OLLAMA_ON_GO_1_26:
            raise rule_error(
                f"Ollama {self.version} needs Go 1.26 to be built, and the image that it is built "
                "in has 1.24",
                "take 0.23.0, name a base_image that installs Go 1.26, or leave "
                "build unset to pull the image",
            )
        return self


def _release(version: str) -> tuple[int, ...] | None:
    """The numbers that a version starts with; None where it is no release, such as a branch."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else None


class MirrorSettings(StrictModel):
    """Where downloads go when the usual places are slow or unreachable (F8)."""

    registry: Annotated[
        ImageReference | None,
        Field(description="Prefix for base images, such as mirror.example.org."),
    ] = None
    python_index: Annotated[
        Url | None,
        Field(
            description="Package index, in place of pypi.org/simple.",
            examples=["https://mirror.example.org/pypi/simple"],
        ),
    ] = None
    apt: Annotated[
        Url | None,
        Field(
            description="Archive of the base image's distribution.",
            examples=["https://mirror.example.org/ubuntu"],
        ),
    ] = None
    model_hub: Annotated[
        Url | None,
        Field(
            description="Mirror of the model hub, in place of huggingface.co.",
            examples=["https://hub.example.org"],
        ),
    ] = None
    modelscope: Annotated[
        Url | None,
        Field(
            description="Address of ModelScope, in place of modelscope.cn.",
            examples=["https://www.modelscope.ai"],
        ),
    ] = None
    proxy: Annotated[
        Url | None,
        Field(
            description="Proxy that models are fetched through.",
            examples=["http://proxy.example.org:3128"],
        ),
    ] = None
    no_proxy: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.*\[:][A-Za-z0-9_.*:\[\]/-]*$")], ...],
        Field(
            description="Hosts, domains and networks that are reached without the proxy.",
            examples=[["localhost", ".example.org"]],
        ),
    ] = ()


class ImagesSettings(StrictModel):
    """The images of the stack."""

    builder: Annotated[
        Literal["buildkit", "classic"], Field(description="The engine's builder to use.")
    ] = "buildkit"
    llamafactory: LlamaFactoryImageSettings = LlamaFactoryImageSettings()
    converter: BuiltImageSettings = BuiltImageSettings()
    ollama: OllamaImageSettings = OllamaImageSettings()
    metrics: BuiltImageSettings = BuiltImageSettings()
    reverse_proxy: BuiltImageSettings = BuiltImageSettings()
    mirrors: MirrorSettings = MirrorSettings()
    certificate_authority: Annotated[
        str | None,
        Field(
            description="PEM file, or folder of .crt files, that builds trust as well. "
            "A folder that does not exist means none."
        ),
    ] = None

    @field_validator("certificate_authority")
    @classmethod
    def _found_from_the_settings(cls, value: str | None, info: ValidationInfo) -> str | None:
        path = found_from_the_settings(value, info)
        if path is None:
            return value
        if path.suffix and not os.path.exists(path):  # noqa: PTH110 - of any length
            raise rule_error(f"file {value} does not exist", "correct the path or remove it")
        return str(path)
