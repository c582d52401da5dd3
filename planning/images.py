"""Images: what is built or pulled, and the tag that says what is in it (F1-F4, F8)."""

import base64
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plan.host import HostFacts
from plan.identity import identity, tree_digest
from plan.image import BASE_ARGUMENT, ImagePlan, ImagesPlan
from plan.labels import NAMESPACE
from planning.extras import extras_needed
from planning.gguf_conversion import needs_quantizer
from planning.recipes import (
    LLAMAFACTORY_BASE,
    converter_recipe,
    llamafactory_recipe,
    mirrored,
    ollama_recipe,
)
from planning.step import PROJECT
from stack_configs.settings.built_image import BuiltImageSettings
from stack_configs.settings.host import Hardware
from stack_configs.settings.images import ImagesSettings
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.root import Settings

IMAGES = PROJECT / "images"
CERTIFICATES_ARGUMENT = "EXTRA_CA_B64"

OLLAMA_BASE = "debian:trixie-slim"
METRICS_BASE = "debian:trixie-slim"
REVERSE_PROXY_BASE = "debian:trixie-slim"

OLLAMA_GPU_TAGS: Mapping[Hardware, str] = {"cuda": "", "rocm": "-rocm"}
"""The accelerators that ollama/ollama computes on, and the end of the tag that does."""


def plan_images(settings: Settings, facts: HostFacts) -> ImagesPlan:
    """The images of an environment. Stacks share them: the tag says what is inside."""
    images, hardware = settings.images, settings.host.hardware
    authorities = {CERTIFICATES_ARGUMENT: _certificates(images.certificate_authority)}
    packages = {"APT_MIRROR": images.mirrors.apt or ""}
    python = {"PIP_INDEX_URL": images.mirrors.python_index or ""}
    llamafactory = _plan_image(
        images,
        facts,
        images.llamafactory,
        role="llamafactory",
        recipe=llamafactory_recipe(settings, facts),
        repository=f"{NAMESPACE}/llamafactory-{hardware}",
        dockerfile=f"Dockerfile.{hardware}",
        base=LLAMAFACTORY_BASE[hardware],
        args={
            **authorities,
            **packages,
            **python,
            "LLAMAFACTORY_VERSION": images.llamafactory.version,
            **(
                {"LLAMAFACTORY_SOURCE": images.llamafactory.source}
                if images.llamafactory.source
                else {}
            ),
            "EXTRAS": ",".join(sorted({*images.llamafactory.extras, *extras_needed(settings)})),
        },
        own_dockerfile=images.llamafactory.dockerfile,
    )
    converter = _plan_image(
        images,
        facts,
        images.converter,
        role="converter",
        recipe=converter_recipe(settings, facts),
        repository=f"{NAMESPACE}/converter",
        dockerfile="Dockerfile",
        base=None if images.converter.base_image else llamafactory.reference,
        base_is_ours=True,
        args={
            **authorities,
            **packages,
            **python,
            "QUANTIZER": "yes" if any(_quantizes(model) for model in settings.models) else "",
        },
    )
    ready = images.ollama.image or ollama_image(images.ollama.version, hardware)
    ollama = _plan_image(
        images,
        facts,
        images.ollama.model_copy(update={"image": None if images.ollama.build else ready}),
        role="ollama",
        recipe=ollama_recipe(images.ollama),
        repository=f"{NAMESPACE}/ollama",
        dockerfile="Dockerfile",
        base=OLLAMA_BASE,
        args={**authorities, **packages, "OLLAMA_VERSION": images.ollama.version},
    )
    metrics = _plan_image(
        images,
        facts,
        images.metrics,
        role="metrics",
        # It makes nothing.
        recipe=(),
        repository=f"{NAMESPACE}/metrics",
        dockerfile="Dockerfile",
        base=METRICS_BASE,
        args={**authorities, **packages, **python},
    )
    reverse_proxy = _plan_image(
        images,
        facts,
        images.reverse_proxy,
        role="reverse-proxy",
        # It makes nothing.
        recipe=(),
        repository=f"{NAMESPACE}/reverse-proxy",
        dockerfile="Dockerfile",
        base=REVERSE_PROXY_BASE,
        args={**authorities, **packages},
    )
    return ImagesPlan(
        llamafactory=llamafactory,
        converter=converter,
        ollama=ollama,
        metrics=metrics if settings.metrics.enabled else None,
        reverse_proxy=reverse_proxy if settings.reverse_proxy.enabled else None,
    )


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
    facts: HostFacts,
    settings: BuiltImageSettings,
    *,
    role: str,
    recipe: tuple[Any, ...],
    repository: str,
    dockerfile: str,
    base: str | None,
    args: Mapping[str, str],
    base_is_ours: bool = False,
    own_dockerfile: str | None = None,
) -> ImagePlan:
    if settings.image:
        reference = mirrored(settings.image, images.mirrors.registry)
        return ImagePlan(role=role, reference=reference, recipe=recipe)
    ours = base_is_ours and settings.base_image is None
    base_image = settings.base_image or base or ""
    if not ours:
        base_image = mirrored(base_image, images.mirrors.registry)
    args = {BASE_ARGUMENT: base_image, **args}
    if own_dockerfile:
        path = Path(own_dockerfile)
        declared = _declared_arguments(path.read_text(encoding="utf-8"))
        args = {name: value for name, value in args.items() if name in declared}
        files, context = tree_digest(path.parent), os.path.relpath(path.parent, PROJECT)
        dockerfile = f"{context}/{path.name}"
    else:
        files, context = tree_digest(IMAGES, files=build_files(f"{role}/{dockerfile}")), "images"
        dockerfile = f"images/{role}/{dockerfile}"
    build = identity(repository, files, {**args, CERTIFICATES_ARGUMENT: ""})
    if carried := facts.carried_images.get(build):
        return ImagePlan(role=role, reference=carried, recipe=recipe, build=build)
    return ImagePlan(
        role=role,
        reference=f"{repository}:{identity(files, args)}",
        recipe=recipe,
        build=build,
        dockerfile=dockerfile,
        context=context,
        args=args,
        builder="BuilderBuildKit" if images.builder == "buildkit" else "BuilderV1",
    )


def _declared_arguments(dockerfile: str) -> set[str]:
    """What a Dockerfile takes: another argument would be a warning, or a base that nobody needs."""
    return set(re.findall(r"^\s*ARG\s+(\w+)", dockerfile, re.IGNORECASE | re.MULTILINE))


def build_files(dockerfile: str) -> tuple[str, ...]:
    """The files that a build gets to see, as paths below `images/`.

    They are what the Dockerfile's own ignore file takes back from the `*` that it begins with: the
    engine, Pulumi and the tag go by that one list, so that no build changes with another's files.
    """
    rules = Path(f"{IMAGES / dockerfile}.dockerignore").read_text(encoding="utf-8").splitlines()
    kept = (IMAGES / rule.removeprefix("!") for rule in rules if rule.startswith("!"))
    files = (file for place in kept for file in ([place] if place.is_file() else place.rglob("*")))
    return tuple(
        sorted(
            file.relative_to(IMAGES).as_posix()
            for file in files
            if file.is_file() and "__pycache__" not in file.parts
        )
    )


def _quantizes(model: ModelSettings) -> bool:
    return needs_quantizer(model.gguf_conversion)


def _certificates(location: str | None) -> str:
    """The extra certificates as base64 of PEM; certificates are public, so this is no secret."""
    if location is None:
        return ""
    path = Path(location)
    files = sorted(path.glob("*.crt")) if path.is_dir() else [path] if path.is_file() else []
    return base64.b64encode(b"\n".join(file.read_bytes() for file in files)).decode()
