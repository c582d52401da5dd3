"""Put the data sets into the data volume and register them there, once per content.

Deleting removes what an interrupted registration left behind, and no data.
"""

import codecs
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from plan import paths
from plan.identity import file_digest, tree_digest
from plan.marker import ArtefactMarker
from plan.step import DatasetFile, DatasetRegistrationStep, Request, StepPlan
from runtime.docker import archive, containers
from runtime.docker.engine import Engine
from runtime.docker.marker_files import write_marker
from runtime.failure import StepError
from runtime.program import say
from runtime.progress.progress import duration, size

KIND = DatasetRegistrationStep
PROJECT = Path(__file__).resolve().parents[2]

TEXTS = frozenset({".json", ".jsonl", ".csv", ".txt"})
"""Suffixes of data files that are texts."""


def converge(request: Request[DatasetRegistrationStep]) -> Mapping[str, object]:
    """Upload what is missing, register everything; where each data set lies."""
    engine, owner, step = Engine(request.engine), request.owner, request.step
    delete(request)
    root = step.mount.target
    with containers.volume_access(
        engine,
        step.name,
        step.mount,
        image=step.image,
        given=containers.step_labels(owner, step.name, step.identity),
    ) as container:
        _upload(engine, container, root, step.files)
        archive.put_files(engine, container, root, {paths.DATASET_INFO: step.info.encode()})
        marker = ArtefactMarker(
            identity=step.identity, step=step.name, stack=owner.stack, token=request.token
        )
        write_marker(engine, container, root=root, path=step.marker, marker=marker)
    return {"identity": step.identity, "datasets": _places(step)}


def _places(step: DatasetRegistrationStep) -> dict[str, str]:
    """Where each data set lies: in the volume, or on a hub."""
    keys = ("file_name", "hf_hub_url", "ms_hub_url")
    entries = json.loads(step.info).items()
    return {name: next(entry[key] for key in keys if key in entry) for name, entry in entries}


def delete(request: Request[StepPlan]) -> Mapping[str, int]:
    """Remove the containers of the step that an interruption left behind."""
    engine = Engine(request.engine)
    left = containers.containers_of(engine, request.owner, request.step.name)
    for container in left:
        containers.remove(engine, str(container["Id"]))
    return {"removed": len(left)}


def _upload(engine: Engine, container: str, root: str, files: Sequence[DatasetFile]) -> None:
    for dataset in files:
        source = PROJECT / dataset.source
        if not source.exists():
            raise StepError(
                f"data set {dataset.name}: {source} is not there any more. "
                "Put it back, or correct datasets[].file"
            )
        if _is_there(engine, container, dataset, source):
            say(f"register {dataset.name}: already in the volume")
            continue
        # The volume's folder is named by the content: nothing else may get into it.
        digest = tree_digest(source) if source.is_dir() else file_digest(source)
        if digest != dataset.digest:
            raise StepError(
                f"data set {dataset.name}: {source} changed after `pulumi up` had read it. "
                "Run `pulumi up` again"
            )
        content = _content(dataset, source, root)
        length = sum(part.size for part in content.values() if isinstance(part, archive.FileFrom))
        say(f"register {dataset.name}: sending {source.name} ({size(length)})")
        began = time.monotonic()
        archive.put_files(engine, container, root, content)
        say(f"register {dataset.name}: sent in {duration(time.monotonic() - began)}")


def _is_there(engine: Engine, container: str, dataset: DatasetFile, source: Path) -> bool:
    if source.is_dir():
        complete = paths.complete_folder(dataset.target)
        return archive.size_of(engine, container, complete) is not None
    # Of another size: an upload that was cut off.
    return archive.size_of(engine, container, dataset.target) == _sent(source).size


def _content(dataset: DatasetFile, source: Path, root: str) -> dict[str, archive.Content]:
    """What to write below the volume's root, in this order."""
    target = PurePosixPath(dataset.target).relative_to(root)
    if not source.is_dir():
        return {str(target): _sent(source)}
    files = sorted(path for path in source.rglob("*") if path.is_file())
    content: dict[str, archive.Content] = {
        str(target / path.relative_to(source).as_posix()): _sent(path) for path in files
    }
    # The last of them: it is there only when all others are.
    return content | {paths.complete_folder(str(target)): b""}


def _sent(file: Path) -> archive.FileFrom:
    """A file as it is sent: a text without its byte-order mark. LLaMA-Factory's loader refuses one
    in a JSON list, and takes it for a part of the first text of a .txt file."""
    if file.suffix not in TEXTS:
        return archive.FileFrom(file, 0)
    with file.open("rb") as content:
        has_mark = content.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
    return archive.FileFrom(file, len(codecs.BOM_UTF8) if has_mark else 0)
