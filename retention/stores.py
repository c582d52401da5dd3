"""What else lies in the volumes: Ollama's store, the hub's cache, files of other programs."""

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from plan import paths
from plan.ollama_model import is_kept_name
from plan.survey import FoundFolder
from report.state import StackState
from retention.artefacts import fetched_by
from retention.items import Item, Standing
from retention.look import HostSight, manifests

OTHERS: Mapping[PurePosixPath, str] = {
    paths.BOARD: "LLaMA Board has trained or exported it",
    paths.TRACKERS: "trackers read it",
    paths.TRAINING_RECORDS: "forecasts go by it",
}
"""Folders of the output volume that no prune touches, and whose they are."""
CACHES = (paths.HUB_CACHE, paths.MODELSCOPE_CACHE)
OWN = (paths.RUNS, *CACHES, paths.HF_CACHE / paths.RUNS.name, paths.DATA_FILES)
"""Folders whose content is told of one by one."""


def store_items(state: StackState, sight: HostSight) -> Iterator[Item]:
    """All of it: none of it is left over by a stack."""
    yield from _served(state, sight)
    yield from _hub(sight)
    for folder in sight.survey.folders:
        place = PurePosixPath(folder.path)
        roots = (paths.OUTPUT, paths.HF_CACHE, paths.DATA)
        if place.parent in roots and place not in (*OWN, paths.MEDIA, paths.REGISTRATIONS):
            yield _other(folder, OTHERS.get(place, "no step has made it"))


def _served(state: StackState, sight: HostSight) -> Iterator[Item]:
    """Models by their layers; a layer that several have counts for the first."""
    counted: dict[str, int] = {}
    for path, name in manifests(state).items():
        if path not in sight.survey.texts:
            continue
        layers = json.loads(sight.survey.texts[path]).get("layers") or ()
        sizes = {str(layer["digest"]): int(layer["size"]) for layer in layers}
        own = sum(size for digest, size in sizes.items() if digest not in counted)
        counted |= sizes
        is_kept = is_kept_name(name)
        yield Item(
            kind="Ollama's store",
            name=name,
            bytes=own,
            standing=Standing.KEPT if is_kept else Standing.IN_USE,
            why="as ollama_model.keep says" if is_kept else "",
        )
    there = sum(f.bytes for f in sight.survey.folders if f.path == str(paths.OLLAMA_BLOBS))
    if (rest := there - sum(counted.values())) > 0:
        yield Item(
            kind="Ollama's store",
            name="other layers",
            bytes=rest,
            standing=Standing.STAYS,
            why="of models that no stack serves, or small ones of those above",
        )


def _hub(sight: HostSight) -> Iterator[Item]:
    """Models and data sets of the hub that no step says to have fetched."""
    fetched = [found for each in sight.survey.folders if (found := fetched_by(each))]
    of_steps = {PurePosixPath(each.path).parents[1] for each in fetched}
    for folder in sight.survey.folders:
        place = PurePosixPath(folder.path)
        if place.parent in CACHES and place not in of_steps:
            yield Item(
                kind="hub cache",
                name=place.name,
                bytes=folder.bytes,
                standing=Standing.STAYS,
                why="no step has fetched it: a run, LLaMA Board or another program",
            )


def _other(folder: FoundFolder, why: str) -> Item:
    return Item(
        kind="files of other programs",
        name=folder.path,
        bytes=folder.bytes,
        standing=Standing.STAYS,
        why=why,
    )
