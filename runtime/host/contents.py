"""What an artefact's identity needs to know of things that have a name and may change under it.

A tag of an image, a model's folder. What nobody can tell is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath

from plan.container import Mount
from plan.host import HostQuestions, ModelFolder
from plan.identity import identity
from plan.problem import Problem
from runtime.docker import archive
from runtime.docker.engine import Engine, in_parallel
from runtime.failure import EngineError
from runtime.host.place import is_there, look_into
from runtime.host.snapshot import Snapshot

MODEL_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "model.safetensors",
    "pytorch_model.bin",
)
INDEX_FILES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
"""Each names the files that the weights are spread over."""


def image_digests(engine: Engine, images: Sequence[str]) -> dict[str, str]:
    """Digest of each image by its reference: as the engine has it, else as its registry says."""
    found = in_parallel([partial(_image_digest, engine, image) for image in images])
    return {image: digest for image, digest in zip(images, found, strict=True) if digest}


def unknown_images(images: Sequence[str], digests: Mapping[str, str]) -> Iterator[Problem]:
    """Images that nobody knows: what they train could not be told from what others do."""
    for image in images:
        if image not in digests:
            yield Problem(
                "images",
                repr(image),
                "the engine does not have it and its registry does not tell its digest",
                "Correct the name, log in to the registry (docker login), or load the image "
                "(docker load)",
            )


def _image_digest(engine: Engine, image: str) -> str | None:
    if "@" in image:
        return image.rpartition("@")[2]
    try:
        with engine.calls() as api:
            there = api.inspect_image(image)  # type: ignore[no-untyped-call]
        names = there.get("RepoDigests") or [f"@{there['Id']}"]
        return str(names[0]).rpartition("@")[2]
    except EngineError:
        pass
    try:
        with engine.calls() as api:
            told = api.inspect_distribution(image)  # type: ignore[no-untyped-call]
            return str(told["Descriptor"]["digest"])
    except (EngineError, KeyError):
        return None


def folder_digests(engine: Engine, snapshot: Snapshot, questions: HostQuestions) -> dict[str, str]:
    """What tells a model's folder from another one in its place, by path.

    Names, sizes and times of its files, as make looks at them: weights are too large to be read at
    every up.
    """
    folders = {
        folder: Mount(source=folder.source, target=folder.mounted_at, read_only=True)
        for folder in questions.model_folders
    }
    mounts = {mount for mount in folders.values() if is_there(snapshot, mount)}
    with look_into(engine, questions.owner, mounts) as place:
        if place is None:
            return {}
        found = {
            folder.path: _folder_digest(engine, place.container, folder)
            for folder, mount in folders.items()
            if mount in mounts
        }
    return {path: digest for path, digest in found.items() if digest}


def _folder_digest(engine: Engine, container: str, folder: ModelFolder) -> str | None:
    root = PurePosixPath(folder.path)
    names = list(MODEL_FILES)
    for index in INDEX_FILES:
        content = archive.read_json(engine, container, str(root / index))
        if content is not None:
            names += [index, *sorted(set(content.get("weight_map", {}).values()))]
    stats = in_parallel(
        [partial(archive.stat_of, engine, container, str(root / name)) for name in names]
    )
    there = {name: stat for name, stat in zip(names, stats, strict=True) if stat is not None}
    return identity(there) if there else None
