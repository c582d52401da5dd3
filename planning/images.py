"""Images: what is built or pulled, and the tag that says what is in it (F1-F4, F8)."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from plan.host import HostFacts
from plan.identity import identity, tree_digest
from plan.image import ImagePlan, ImagesPlan
from plan.labels import NAMESPACE
from planning.step import PROJECT
from stack_configs.settings.host import Hardware
from stack_configs.settings.images import BuiltImageSettings, Extra, ImagesSettings
from stack_configs.settings.root import Settings
from stack_configs.settings.training_runs import TrainingRunSettings

IMAGES = PROJECT / "images"

LLAMAFACTORY_BASE: Mapping[Hardware, str] = {
    "cpu": "debian:trixie-slim",
    "cuda": "hiyouga/pytorch:th2.6.0-cu124-flashattn2.7.4-cxx11abi0-devel",
    "rocm": "rocm/pytorch:rocm7.2_ubuntu24.04_py3.12_pytorch_release_2.7.1",
    "npu": "ascendai/cann:9.0.0-910b-ubuntu22.04-py3.11",
}
"""The bases of LLaMA-Factory 0.9.5's own Dockerfiles; debian for the variant that it has not."""

OLLAMA_BASE = "debian:trixie-slim"

OLLAMA_GPU_TAGS: Mapping[Hardware, str] = {"cuda": "", "rocm": "-rocm"}
"""The accelerators that ollama/ollama computes on, and the end of the tag that does."""

EXTRA_OF: Mapping[str, Extra] = {
    "quantization_bit": "bitsandbytes",
    "deepspeed": "deepspeed",
    "use_unsloth": "unsloth",
}
"""What a setting of a training run needs in the image (T4, T6, T7)."""

RECIPES = {"llamafactory": 1, "converter": 1}
"""Raised by hand when a change of an image's build changes what its containers compute: only then
does a change of the build train anything again."""


def plan_images(settings: Settings, facts: HostFacts) -> ImagesPlan:
    """The images of an environment. Stacks share them: the tag says what is inside."""
    images, hardware = settings.images, settings.host.hardware
    base = images.llamafactory.base_image or LLAMAFACTORY_BASE[hardware]
    recipe = ("llamafactory", images.llamafactory.version, hardware, RECIPES["llamafactory"], base)
    authorities = {"EXTRA_CA_B64": _certificates(images.certificate_authority)}
    packages = {"APT_MIRROR": images.mirrors.apt or ""}
    python = {"PIP_INDEX_URL": images.mirrors.python_index or ""}
    llamafactory = _plan_image(
        images,
        images.llamafactory,
        facts,
        role="llamafactory",
        recipe=recipe,
        repository=f"{NAMESPACE}/llamafactory-{hardware}",
        dockerfile=f"Dockerfile.{hardware}",
        base=LLAMAFACTORY_BASE[hardware],
        args={
            **authorities,
            **packages,
            **python,
            "LLAMAFACTORY_VERSION": images.llamafactory.version,
            "EXTRAS": ",".join(sorted({*images.llamafactory.extras, *_extras_of_runs(settings)})),
        },
    )
    converter_base = images.converter.base_image or llamafactory.recipe[:2]
    converter = _plan_image(
        images,
        images.converter,
        facts,
        role="converter",
        recipe=("converter", RECIPES["converter"], converter_base),
        repository=f"{NAMESPACE}/converter",
        dockerfile="Dockerfile",
        base=None if images.converter.base_image else llamafactory.reference,
        base_is_ours=True,
        args={**authorities, **python},
    )
    ready = images.ollama.image or ollama_image(images.ollama.version, hardware)
    ollama = _plan_image(
        images,
        images.ollama.model_copy(update={"image": None if images.ollama.build else ready}),
        facts,
        role="ollama",
        recipe=("ollama", images.ollama.version),
        repository=f"{NAMESPACE}/ollama",
        dockerfile="Dockerfile",
        base=OLLAMA_BASE,
        args={**authorities, **packages, "OLLAMA_VERSION": images.ollama.version},
    )
    return ImagesPlan(llamafactory=llamafactory, converter=converter, ollama=ollama)


def ollama_image(version: str, hardware: Hardware) -> str:
    """Ollama's own image for a host. Where it knows no accelerator, processors compute (F2)."""
    end = OLLAMA_GPU_TAGS.get(hardware, "")
    return f"ollama/ollama:{version.removesuffix(end)}{end}"


def ollama_reaches_accelerators(settings: Settings) -> bool:
    """Whether the server's image computes on the host's accelerators; an image of one's own may."""
    ollama, hardware = settings.images.ollama, settings.host.hardware
    if ollama.image is not None:
        return hardware != "cpu"
    return hardware in OLLAMA_GPU_TAGS and not ollama.build


def _plan_image(
    images: ImagesSettings,
    settings: BuiltImageSettings,
    facts: HostFacts,
    *,
    role: str,
    recipe: tuple[Any, ...],
    repository: str,
    dockerfile: str,
    base: str | None,
    args: Mapping[str, str],
    base_is_ours: bool = False,
) -> ImagePlan:
    if settings.image:
        reference = mirrored(settings.image, images.mirrors.registry)
        # A tag may move. A mirror serves the same digest under another name.
        content = facts.image_digests.get(reference, settings.image)
        return ImagePlan(role=role, reference=reference, recipe=("pulled", content))
    ours = base_is_ours and settings.base_image is None
    base_image = settings.base_image or base or ""
    if not ours:
        base_image = mirrored(base_image, images.mirrors.registry)
    directory = IMAGES / role
    shared = sorted(
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file() and not path.name.startswith("Dockerfile")
    )
    args = {"BASE_IMAGE": base_image, **args}
    tag = identity(tree_digest(directory, files=(dockerfile, *shared)), args)
    return ImagePlan(
        role=role,
        reference=f"{repository}:{tag}",
        recipe=recipe,
        dockerfile=f"images/{role}/{dockerfile}",
        context=f"images/{role}",
        args=args,
        builder="BuilderBuildKit" if images.builder == "buildkit" else "BuilderV1",
    )


def mirrored(image: str, registry: str | None) -> str:
    """The image as the mirror names it; official images live under `library/` there."""
    if registry is None:
        return image
    first, _, rest = image.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"{registry.rstrip('/')}/{image if rest else f'library/{image}'}"


def pulled_images(settings: ImagesSettings) -> tuple[str, ...]:
    """Ready-made images that take part in what is trained, as they will be pulled."""
    chosen = (settings.llamafactory.image, settings.converter.image)
    return tuple(mirrored(image, settings.mirrors.registry) for image in chosen if image)


def extras_of(run: TrainingRunSettings) -> Iterator[Extra]:
    """The optional parts of LLaMA-Factory that one training run needs."""
    if run.stage == "ppo":
        yield "ppo"
    for setting, extra in EXTRA_OF.items():
        if getattr(run, setting):
            yield extra


def _extras_of_runs(settings: Settings) -> Iterator[Extra]:
    for model in settings.models:
        for run in model.training_runs:
            yield from extras_of(run)


def _certificates(location: str | None) -> str:
    """The extra certificates as base64 of PEM; certificates are public, so this is no secret."""
    if location is None:
        return ""
    path = Path(location)
    files = sorted(path.glob("*.crt")) if path.is_dir() else [path] if path.is_file() else []
    return base64.b64encode(b"\n".join(file.read_bytes() for file in files)).decode()
