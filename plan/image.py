"""Images: built from a Dockerfile of the project, or pulled ready-made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

BUILD_ARGUMENT = "BUILD_TOKEN"
"""Argument of every build: its value becomes the label `plan.labels.TOKEN` of the image, so that a
look at the host finds it again. An image that is gone gets another one, which builds it again."""

BASE_ARGUMENT = "BASE_IMAGE"
"""Argument of a build that starts from an image which is there before: pulled, or built here."""

Builder = Literal["BuilderBuildKit", "BuilderV1"]


@dataclass(frozen=True, kw_only=True)
class ImagePlan:
    """One image, by role."""

    role: str
    reference: str
    """What containers name. The tag of a built image is made of all that goes into the build."""
    recipe: tuple[Any, ...]
    """What of the image has a part in what its containers make: versions, recipe number, base or
    digest. No mirror, no certificate, no neighbour's package."""
    dockerfile: str = ""
    """Path below the project, empty for a pulled image."""
    context: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    builder: Builder = "BuilderBuildKit"
    build: str = ""
    """Digest of all that goes into the build but certificates, which it takes from the host that it
    runs on. By it an image is found that was carried here from another host."""

    @property
    def is_built(self) -> bool:
        """Whether the stack builds this image itself."""
        return bool(self.dockerfile)


@dataclass(frozen=True, kw_only=True)
class ImagesPlan:
    """The images of the stack."""

    llamafactory: ImagePlan
    converter: ImagePlan
    ollama: ImagePlan
    metrics: ImagePlan | None = None
    """None where nothing is measured."""
    reverse_proxy: ImagePlan | None = None
    """None where none runs."""

    @property
    def all(self) -> tuple[ImagePlan, ...]:
        """Every image, in the order in which they can be built."""
        asked_for = (each for each in (self.metrics, self.reverse_proxy) if each is not None)
        return (self.llamafactory, self.converter, self.ollama, *asked_for)
