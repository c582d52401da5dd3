"""What an artefact's identity needs to know of things that have a name and may change under it.

A tag of an image, a model's folder. What nobody can tell is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath

from plan.container import Mount
from plan.host import HostQuestions, ModelFolder, ModelFolderFacts
from plan.identity import identity
from plan.model_shape import read_model_shape
from plan.problem import Problem
from runtime.docker import archive
from runtime.docker.engine import Engine, in_parallel
from runtime.docker.images import inspect_image
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
        if (there := inspect_image(engine, image)) is not None:
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


def model_folders(
    engine: Engine, snapshot: Snapshot, questions: HostQuestions
) -> dict[str, ModelFolderFacts]:
    """What there is in each model's folder, by path."""
    folders = {
        folder: Mount(source=folder.source, target=folder.mounted_at, read_only=True)
        for folder in questions.model_folders
    }
    mounts = {mount for mount in folders.values() if is_there(snapshot, mount)}
    with look_into(engine, questions.owner, mounts) as place:
        if place is None:
            return {}
        found = {
            folder.path: _folder_facts(engine, place.container, folder)
            for folder, mount in folders.items()
            if mount in mounts
        }
    return {path: facts for path, facts in found.items() if facts}


def _folder_facts(engine: Engine, container: str, folder: ModelFolder) -> ModelFolderFacts | None:
    """Its digest is of names, sizes and times of its files, as make looks at them: weights are too
    large to be read at every up."""
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
    if not there:
        return None
    config = archive.read_json(engine, container, str(root / "config.json"))
    return ModelFolderFacts(digest=identity(there), shape=read_model_shape(config))
