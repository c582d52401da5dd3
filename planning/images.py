"""Images: what is built or pulled, and the tag that says what is in it (F1-F4, F8)."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from planning.fingerprint import fingerprint, tree_digest
from stack_configs.settings.host import Hardware
from stack_configs.settings.images import BuiltImageSettings, Extra, ImagesSettings
from stack_configs.settings.root import Settings

REPOSITORY = "finetune-stack"
PROJECT = Path(__file__).parents[1]
IMAGES = PROJECT / "images"

LLAMAFACTORY_BASE: Mapping[Hardware, str] = {
    "cpu": "debian:trixie-slim",
    "cuda": "hiyouga/pytorch:th2.6.0-cu124-flashattn2.7.4-cxx11abi0-devel",
    "rocm": "rocm/pytorch:rocm7.2_ubuntu24.04_py3.12_pytorch_release_2.7.1",
    "npu": "ascendai/cann:9.0.0-910b-ubuntu22.04-py3.11",
}
"""The bases of LLaMA-Factory 0.9.5's own Dockerfiles; debian for the variant that it has not."""

OLLAMA_BASE = "debian:trixie-slim"

EXTRA_OF: Mapping[str, Extra] = {
    "quantization_bit": "bitsandbytes",
    "deepspeed": "deepspeed",
    "use_unsloth": "unsloth",
}
"""What a setting of a training run needs in the image (T4, T6, T7)."""

Builder = Literal["BuilderBuildKit", "BuilderV1"]


@dataclass(frozen=True, kw_only=True)
class ImagePlan:
    """One image, by role: built from a Dockerfile, or pulled ready-made."""

    role: str
    reference: str
    """What containers name. For a built image the tag is the fingerprint of all that goes in."""
    base_image: str | None = None
    """Pulled before the build (F4); None when the base is another image of the stack."""
    dockerfile: str = ""
    """Path below the project, empty for a pulled image."""
    context: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    builder: Builder = "BuilderBuildKit"

    @property
    def is_built(self) -> bool:
        """Whether the stack builds this image itself."""
        return bool(self.dockerfile)


@dataclass(frozen=True, kw_only=True)
class ImagesPlan:
    """The three images of the stack."""

    llamafactory: ImagePlan
    converter: ImagePlan
    ollama: ImagePlan

    @property
    def references(self) -> tuple[str, ...]:
        """What containers name, of all three."""
        return (self.llamafactory.reference, self.converter.reference, self.ollama.reference)


def plan_images(settings: Settings) -> ImagesPlan:
    """The images of an environment. Stacks share them: the tag says what is inside."""
    images, hardware = settings.images, settings.host.hardware
    authorities = {"EXTRA_CA_B64": _certificates(images.certificate_authority)}
    packages = {"APT_MIRROR": images.mirrors.apt or ""}
    python = {"PIP_INDEX_URL": images.mirrors.python_index or ""}
    llamafactory = _plan_image(
        images,
        images.llamafactory,
        role="llamafactory",
        repository=f"{REPOSITORY}/llamafactory-{hardware}",
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
    converter = _plan_image(
        images,
        images.converter,
        role="converter",
        repository=f"{REPOSITORY}/converter",
        dockerfile="Dockerfile",
        base=None if images.converter.base_image else llamafactory.reference,
        base_is_ours=True,
        args={**authorities, **python},
    )
    ready = images.ollama.image or f"ollama/ollama:{images.ollama.version}"
    ollama = _plan_image(
        images,
        images.ollama.model_copy(update={"image": None if images.ollama.build else ready}),
        role="ollama",
        repository=f"{REPOSITORY}/ollama",
        dockerfile="Dockerfile",
        base=OLLAMA_BASE,
        args={**authorities, **packages, "OLLAMA_VERSION": images.ollama.version},
    )
    return ImagesPlan(llamafactory=llamafactory, converter=converter, ollama=ollama)


def _plan_image(
    images: ImagesSettings,
    settings: BuiltImageSettings,
    *,
    role: str,
    repository: str,
    dockerfile: str,
    base: str | None,
    args: Mapping[str, str],
    base_is_ours: bool = False,
) -> ImagePlan:
    if settings.image:
        return ImagePlan(role=role, reference=mirrored(settings.image, images.mirrors.registry))
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
    tag = fingerprint(tree_digest(directory, files=(dockerfile, *shared)), args)
    return ImagePlan(
        role=role,
        reference=f"{repository}:{tag}",
        base_image=None if ours else base_image,
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


def _extras_of_runs(settings: Settings) -> Iterator[Extra]:
    for model in settings.models:
        for run in model.training_runs:
            if run.stage == "ppo":
                yield "ppo"
            for setting, extra in EXTRA_OF.items():
                if getattr(run, setting):
                    yield extra


def _certificates(location: str | None) -> str:
    """The extra certificates as base64 of PEM; certificates are public, so this is no secret."""
    if location is None:
        return ""
    path = Path(location)
    files = sorted(path.glob("*.crt")) if path.is_dir() else [path] if path.is_file() else []
    return base64.b64encode(b"\n".join(file.read_bytes() for file in files)).decode()
