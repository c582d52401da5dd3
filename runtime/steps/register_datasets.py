"""Put the data sets into the data volume and register them there, once per content.

`register_datasets.py converge` sends what is missing; `register_datasets.py delete` removes what
an interrupted registration left behind, and no data. The spec comes on stdin.
"""

import hashlib
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from runtime.docker import archive, containers
from runtime.docker.engine import Engine
from runtime.failure import StepError
from runtime.steps.marker import write_marker
from runtime.program import Spec, part, run_program, say
from runtime.report.progress import duration, size
from runtime.steps.stage_spec import read_mount, read_step

PROJECT = Path(__file__).resolve().parents[2]
INFO = "dataset_info.json"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data file of the project or of this host, and where it belongs in the volume."""

    name: str
    file: Path
    digest: str
    target: str


def converge(spec: Spec) -> Mapping[str, Any]:
    """Upload what is missing, register everything; where each data set lies."""
    engine, step, mount = Engine(spec.get("engine")), read_step(spec), read_mount(spec["mount"])
    datasets = [
        Dataset(
            name=part(dataset, "name"),
            file=PROJECT / part(dataset, "file"),
            digest=part(dataset, "digest"),
            target=part(dataset, "target"),
        )
        for dataset in part(spec, "datasets")
    ]
    delete(spec)
    with containers.volume_access(
        engine, step.name, mount, image=part(spec, "image"), labels=step.labels
    ) as container:
        _upload(engine, container, mount.target, datasets)
        info = {INFO: str(part(spec, "info")).encode()}
        archive.put_files(engine, container, mount.target, info)
        write_marker(
            engine,
            container,
            root=mount.target,
            marker=part(spec, "marker"),
            content={"fingerprint": step.fingerprint, "token": part(spec, "token")},
        )
    return {
        "fingerprint": step.fingerprint,
        "datasets": [{"name": dataset.name, "target": dataset.target} for dataset in datasets],
    }


def delete(spec: Spec) -> Mapping[str, Any]:
    """Remove the containers of the step that an interruption left behind."""
    engine = Engine(spec.get("engine"))
    left = containers.containers_of(engine, part(spec, "stack"), part(spec, "name"))
    for container in left:
        containers.remove(engine, str(container["Id"]))
    return {"removed": len(left)}


def _upload(engine: Engine, container: str, root: str, datasets: Iterable[Dataset]) -> None:
    for dataset in datasets:
        if not dataset.file.is_file():
            raise StepError(
                f"data set {dataset.name}: {dataset.file} is not there any more. "
                "Put it back, or correct datasets[].file"
            )
        length = dataset.file.stat().st_size
        # Of another size: an upload that was cut off.
        if archive.size_of(engine, container, dataset.target) == length:
            say(f"register {dataset.name}: already in the volume")
            continue
        _check(dataset)
        say(f"register {dataset.name}: sending {dataset.file.name} ({size(length)})")
        began = time.monotonic()
        name = str(PurePosixPath(dataset.target).relative_to(root))
        archive.put_files(engine, container, root, {name: dataset.file})
        say(f"register {dataset.name}: sent in {duration(time.monotonic() - began)}")


def _check(dataset: Dataset) -> None:
    """The volume's folder is named by the content: nothing else may get into it."""
    with dataset.file.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != dataset.digest:
        raise StepError(
            f"data set {dataset.name}: {dataset.file} changed after `pulumi up` had read it. "
            "Run `pulumi up` again"
        )


if __name__ == "__main__":
    sys.exit(run_program({"converge": converge, "delete": delete}, sys.argv[1:]))
