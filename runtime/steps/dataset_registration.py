"""Put the data sets into the data volume and register them there, once per content.

Deleting removes what an interrupted registration left behind, and no data.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from plan import paths
from plan.identity import file_digest
from plan.marker import ArtefactMarker
from plan.step import DatasetFile, DatasetRegistrationStep, Request, StepPlan
from runtime.docker import archive, containers
from runtime.docker.engine import Engine
from runtime.docker.marker_files import write_marker
from runtime.failure import StepError
from runtime.program import say
from runtime.report.progress import duration, size

KIND = DatasetRegistrationStep
PROJECT = Path(__file__).resolve().parents[2]


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
    return {"identity": step.identity, "datasets": {file.name: file.target for file in step.files}}


def delete(request: Request[StepPlan]) -> Mapping[str, int]:
    """Remove the containers of the step that an interruption left behind."""
    engine = Engine(request.engine)
    left = containers.containers_of(engine, request.owner, request.step.name)
    for container in left:
        containers.remove(engine, str(container["Id"]))
    return {"removed": len(left)}


def _upload(engine: Engine, container: str, root: str, files: Sequence[DatasetFile]) -> None:
    for dataset in files:
        file = PROJECT / dataset.source
        if not file.is_file():
            raise StepError(
                f"data set {dataset.name}: {file} is not there any more. "
                "Put it back, or correct datasets[].file"
            )
        length = file.stat().st_size
        # Of another size: an upload that was cut off.
        if archive.size_of(engine, container, dataset.target) == length:
            say(f"register {dataset.name}: already in the volume")
            continue
        # The volume's folder is named by the content: nothing else may get into it.
        if file_digest(file) != dataset.digest:
            raise StepError(
                f"data set {dataset.name}: {file} changed after `pulumi up` had read it. "
                "Run `pulumi up` again"
            )
        say(f"register {dataset.name}: sending {file.name} ({size(length)})")
        began = time.monotonic()
        name = str(PurePosixPath(dataset.target).relative_to(root))
        archive.put_files(engine, container, root, {name: file})
        say(f"register {dataset.name}: sent in {duration(time.monotonic() - began)}")
