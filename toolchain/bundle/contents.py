"""What of a project and its stack goes into a bundle, and what cannot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from plan.carried_images import CarriedImages
from plan.host import HostFacts
from plan.image import ImagesPlan
from plan.problem import Problem
from planning.images import plan_images
from planning.recipes import pulled_images
from stack_configs.settings.root import Settings
from toolchain.errors import CommandError, ToolchainError
from toolchain.offline.base_image import DEFAULT_IMAGES
from toolchain.places import Places
from toolchain.process import run
from toolchain.stack_config import SECRETS_KEYS


def find_problems(settings: Settings, project: Path) -> Iterator[Problem]:
    """What the stack takes from elsewhere, so that no archive of this project can hold it."""
    for index, dataset in enumerate(settings.datasets):
        key = f"datasets[{index}]"
        if dataset.file is None:
            yield Problem(
                key, dataset.name, "it is loaded from a hub", "Download it, and name it as `file`"
            )
        for name, path in (("file", dataset.file), ("media_dir", dataset.media_dir)):
            if path is not None and not path.is_relative_to(project):
                yield _outside(f"{key}.{name}", path, project)
    for index, model in enumerate(settings.models):
        for hub in ("hub", "modelscope"):
            if found := getattr(model.base_model, hub):
                yield Problem(
                    f"models[{index}].base_model.{hub}",
                    found,
                    "a bundle carries no base model",
                    "Carry its folder yourself into a volume with a `host_path`, and name it as "
                    "`base_model.path`",
                )
    own = settings.images.llamafactory.dockerfile
    if own and not Path(own).resolve().is_relative_to(project):
        yield _outside("images.llamafactory.dockerfile", Path(own), project)
    for image in pulled_images(settings.images):
        yield Problem(
            "images",
            image,
            "its digest is part of what is trained, and an engine's archive does not keep it",
            "Build that image, or pull it on the other host from a registry there",
        )


def _outside(key: str, path: Path, project: Path) -> Problem:
    return Problem(key, str(path), f"it lies outside {project}", "Put it into the project")


def project_files(places: Places, settings: Settings, own: Iterable[Path]) -> list[Path]:
    """The files of the project: those that are committed, and those that the stack names."""
    project = places.repository
    listed = git(places, "ls-files", "-z").split("\0")
    named = {project / name for name in listed if name}
    roots = [*own, *(path for each in settings.datasets for path in (each.file, each.media_dir))]
    if settings.images.llamafactory.dockerfile:
        roots.append(Path(settings.images.llamafactory.dockerfile).resolve().parent)
    for root in roots:
        if root is not None:
            named |= {root} if root.is_file() else {*root.rglob("*")}
    return sorted(path for path in named if path.is_symlink() or path.is_file())


def git(places: Places, *words: str) -> str:
    """What git says of the project."""
    try:
        return run(["git", *words], cwd=places.repository)
    except CommandError as error:
        msg = f"a bundle is made from a git checkout, and {places.repository} is none: {error}"
        raise ToolchainError(msg) from error


def without_secrets(content: bytes) -> bytes:
    """A stack's configuration file without the secrets that it may hold, encrypted as they are."""
    document = yaml.safe_load(content)
    if not isinstance(document, dict):
        return content
    config = document.get("config") or {}
    kept = {key: value for key, value in config.items() if not _is_secret(value)}
    if len(kept) == len(config) and not any(key in document for key in SECRETS_KEYS):
        return content
    plain = {key: value for key, value in document.items() if key not in SECRETS_KEYS}
    return yaml.safe_dump({**plain, "config": kept}, sort_keys=False).encode()


def _is_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return "secure" in value or any(_is_secret(each) for each in value.values())
    return isinstance(value, list) and any(_is_secret(each) for each in value)


def images_of(settings: Settings) -> tuple[ImagesPlan, list[str]]:
    """The stack's images, and the references of all that the other host has to have."""
    plan = plan_images(settings, HostFacts())
    return plan, sorted({*(image.reference for image in plan.all), *DEFAULT_IMAGES})


def carried(plan: ImagesPlan, ids: dict[str, str]) -> CarriedImages:
    """What the other host is told of the images that were built here."""
    built = {image.build: image.reference for image in plan.all if image.is_built}
    return CarriedImages(
        references=built, ids={reference: ids[reference] for reference in built.values()}
    )
