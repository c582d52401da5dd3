"""What an artefact's identity needs to know of things that have a name and may change under it.

A tag of an image, a branch on the hub, a model's folder. What nobody can tell is left out.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath
from urllib.parse import quote

import requests

from plan.container import Mount
from plan.host import HostQuestions, HubModel, ModelFolder
from plan.identity import identity
from plan.paths import HF_CACHE
from plan.problem import Problem
from runtime.docker import archive
from runtime.docker.engine import Engine, in_parallel
from runtime.failure import EngineError
from runtime.host.place import Place, is_there, look_into
from runtime.host.snapshot import Snapshot

HUB = "https://huggingface.co"
HUB_SECONDS = 5.0
COMMIT_LENGTH = 40

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


def hub_commits(engine: Engine, snapshot: Snapshot, questions: HostQuestions) -> dict[str, str]:
    """The commit that each model's revision points to now.

    Where the hub does not answer, the one that was fetched last: a hub that is out of reach must
    not train a model again.
    """
    models = questions.hub_models
    told = dict(zip(models, in_parallel([partial(_ask_hub, m) for m in models]), strict=True))
    silent = [model for model, commit in told.items() if commit is None]
    cache = Mount(source=questions.hub_cache or "", target=str(HF_CACHE), read_only=True)
    if silent and questions.hub_cache and is_there(snapshot, cache):
        with look_into(engine, questions.owner, {cache}) as place:
            if place is not None:
                told |= {model: _last_fetched(engine, place, model) for model in silent}
    return {model.key: commit for model, commit in told.items() if commit}


def _ask_hub(model: HubModel) -> str | None:
    if len(model.revision) == COMMIT_LENGTH:
        return model.revision
    hub = os.environ.get("HF_ENDPOINT", HUB).rstrip("/")
    address = f"{hub}/api/models/{model.id}/revision/{quote(model.revision, safe='')}"
    try:
        answer = requests.get(address, timeout=HUB_SECONDS)
        answer.raise_for_status()
        return str(answer.json()["sha"])
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return None


def _last_fetched(engine: Engine, place: Place, model: HubModel) -> str | None:
    """The newest commit in the cache, which has a folder of links for each."""
    folder = HF_CACHE / "hub" / f"models--{model.id.replace('/', '--')}" / "snapshots"
    times = archive.folder_times(engine, place.container, str(folder))
    return max(times, key=lambda commit: times[commit], default=None)


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
