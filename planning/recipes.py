"""What of an image has a part in what its containers make, and nothing else of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plan.host import HostFacts
from plan.identity import tree_digest
from stack_configs.settings.host import Hardware
from stack_configs.settings.images import ImagesSettings, OllamaImageSettings
from stack_configs.settings.root import Settings

LLAMAFACTORY_BASE: Mapping[Hardware, str] = {
    "cpu": "debian:trixie-slim",
    "cuda": "hiyouga/pytorch:th2.6.0-cu124-flashattn2.7.4-cxx11abi0-devel",
    "rocm": "rocm/pytorch:rocm7.2_ubuntu24.04_py3.12_pytorch_release_2.7.1",
    "npu": "ascendai/cann:9.0.0-910b-ubuntu22.04-py3.11",
}
"""The bases of LLaMA-Factory 0.9.5's own Dockerfiles; debian for the variant that it has not."""

LLAMAFACTORY_RECIPE = 1
CONVERTER_RECIPE = 1
"""Raised by hand when a change of an image's build changes what its containers compute: only then
does a change of the build train anything again."""

Recipe = tuple[Any, ...]


def llamafactory_recipe(settings: Settings, facts: HostFacts) -> Recipe:
    """Of the image that trains. The packages that a run needs are the run's own."""
    image, hardware = settings.images.llamafactory, settings.host.hardware
    if image.image:
        return _pulled(image.image, settings.images, facts)
    base = image.base_image or LLAMAFACTORY_BASE[hardware]
    if image.dockerfile:
        # Nobody here knows which of its lines count.
        made_of = tree_digest(Path(image.dockerfile).parent)
        return ("dockerfile", [made_of, Path(image.dockerfile).name, image.version], hardware, base)
    # A commit is what it is, wherever it is fetched from.
    content = image.source.rpartition("@")[2] if image.source else image.version
    return ("llamafactory", content, hardware, LLAMAFACTORY_RECIPE, base)


def converter_recipe(settings: Settings, facts: HostFacts) -> Recipe:
    """Of the image that converts, which is built on the one that trains."""
    image = settings.images.converter
    if image.image:
        return _pulled(image.image, settings.images, facts)
    base = image.base_image or llamafactory_recipe(settings, facts)[:2]
    return ("converter", CONVERTER_RECIPE, base)


def ollama_recipe(image: OllamaImageSettings) -> Recipe:
    """Of the image that serves: built or pulled, the version is the same."""
    return ("ollama", image.image or image.version)


def pulled_images(settings: ImagesSettings) -> tuple[str, ...]:
    """Ready-made images that take part in what is trained, as they will be pulled."""
    chosen = (settings.llamafactory.image, settings.converter.image)
    return tuple(mirrored(image, settings.mirrors.registry) for image in chosen if image)


def _pulled(image: str, images: ImagesSettings, facts: HostFacts) -> Recipe:
    """A ready-made image: its digest, since its tag may move. A mirror has the same one."""
    reference = mirrored(image, images.mirrors.registry)
    return ("pulled", facts.image_digests.get(reference, image))


def mirrored(image: str, registry: str | None) -> str:
    """The image as the mirror names it; official images live under `library/` there."""
    if registry is None:
        return image
    first, _, rest = image.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"{registry.rstrip('/')}/{image if rest else f'library/{image}'}"
