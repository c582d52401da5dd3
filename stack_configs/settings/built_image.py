"""What the settings of every image that can be built have in common (F3)."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import ImageReference, StrictModel


class BuiltImageSettings(StrictModel):
    """An image that is built from its Dockerfile under `images/`, or a ready one that is pulled."""

    image: Annotated[
        ImageReference | None,
        Field(
            description="A ready image to pull instead of building one; its name has no capitals."
        ),
    ] = None
    base_image: Annotated[
        ImageReference | None,
        Field(description="Base of the build. Unset: the hardware variant's own."),
    ] = None

    @model_validator(mode="after")
    def _base_of_a_build(self) -> Self:
        if self.image is not None and self.base_image is not None:
            raise rule_error(
                f"image {self.image} is pulled ready-made, so base_image has no effect",
                "keep one of the two",
            )
        return self
