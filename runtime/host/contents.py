"""What an artefact's identity needs to know of things that have a name and may change under it.

A tag of an image, a branch on the hub, a model's folder. What nobody can tell is left out.
"""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import PurePosixPath
from urllib.parse import quote

import requests

from plan.container import Mount
from plan.host import HostQuestions, HubModel, ModelFolder
from plan.identity import identity
from runtime.docker import archive
from runtime.docker.engine import Engine, in_parallel
from runtime.failure import EngineError
from runtime.host.snapshot import Snapshot
from runtime.host.tokens import look_into

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


def _image_digest(engine: Engine, image: str) -> str | None:
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


def hub_commits(models: Sequence[HubModel]) -> dict[str, str]:
    """The commit that each revision points to now, by `id@revision`, where the hub tells it."""
    found = in_parallel([partial(_hub_commit, model) for model in models])
    return {
        f"{model.id}@{model.revision}": commit
        for model, commit in zip(models, found, strict=True)
        if commit
    }


def _hub_commit(model: HubModel) -> str | None:
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


def folder_digests(engine: Engine, snapshot: Snapshot, questions: HostQuestions) -> dict[str, str]:
    """What tells a model's folder from another one in its place, by path.

    Names, sizes and times of its files, as make looks at them: weights are too large to be read at
    every up.
    """
    folders = [
        folder
        for folder in questions.model_folders
        if folder.source.startswith("/") or folder.source in snapshot.volumes
    ]
    if not folders:
        return {}
    mounts = {Mount(source=f.source, target=f.mounted_at, read_only=True) for f in folders}
    with engine.calls() as api:
        images = [str(image["Id"]) for image in api.images()]
    with look_into(engine, questions.owner, mounts, images=images) as place:
        if place is None:
            return {}
        found = {folder.path: _folder_digest(engine, place.container, folder) for folder in folders}
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
