"""Tokens of steps: the one in the marker of finished work, or a new one where work is missing.

A step's request holds its token: work that is gone brings a new token, which runs the step's
command again, and the program writes that token into the marker it leaves.
"""

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

from plan import labels
from plan.container import Mount
from plan.host import Probe, TokenQuestions, Tokens
from plan.marker import read_artefact_marker, read_served_marker
from plan.owner import Owner
from plan.paths import TRAINING_RECORDS
from plan.training_record import TrainingRecord, read_training_record
from runtime.docker import archive, containers
from runtime.docker.engine import Engine, in_parallel
from runtime.docker.images import inspect_image
from runtime.host.place import Place, is_there, look_into, mounting
from runtime.host.snapshot import Snapshot
from runtime.host.superseded import find_superseded
from runtime.host.verification import find_damaged
from runtime.serving.layers import fault_of, layer_sizes, layers_of
from runtime.steps.gpu_memory import has_made_room


@dataclass(frozen=True, kw_only=True)
class _Work:
    """Finished work that is there."""

    token: str
    """Empty where its step must run all the same."""
    is_kept: bool = False
    """Whether it is a model that another one has superseded."""
    has_sums: bool = False
    """Whether it says what its files have to be."""
    fault: str | None = None
    """What is wrong with it; its step must run then."""


def find_tokens(
    engine: Engine,
    snapshot: Snapshot,
    owner: Owner,
    questions: TokenQuestions,
    *,
    checks: Callable[[str], None] | None = None,
) -> Tokens:
    """The token of everything that is there, and a new one for what is not.

    `checks` as `HostLook.tokens` has it.
    """
    work, records = _look_for_work(engine, snapshot, owner, questions)
    damaged = {step: found.fault for step, found in work.items() if found and found.fault}
    work |= dict.fromkeys(damaged)
    if checks is not None:
        there = {step: found.has_sums for step, found in work.items() if found is not None}
        set_aside = find_damaged(engine, snapshot, owner, questions, there, say=checks)
        work |= dict.fromkeys(set_aside)
        damaged |= set_aside
    images = in_parallel(
        [partial(_image_token, engine, image) for image in questions.images.values()]
    )
    return Tokens(
        steps={
            step: found.token if found and found.token else uuid.uuid4().hex
            for step, found in work.items()
        },
        missing=tuple(step for step, found in work.items() if found is None),
        damaged=damaged,
        kept=tuple(step for step, found in work.items() if found and found.is_kept),
        superseded=find_superseded(engine, snapshot, owner, questions.kept_artefacts),
        images=dict(zip(questions.images, images, strict=True)),
        services=_service_tokens(snapshot, owner, questions.services),
        training_records=tuple(sorted(records, key=lambda record: record.finished_at)),
    )


def _service_tokens(snapshot: Snapshot, owner: Owner, services: Sequence[str]) -> Mapping[str, str]:
    """The token in the label of each service that runs, and a new one for what does not.

    One that was stopped for a training counts as running: the training starts it again.
    """
    found = snapshot.containers
    running = {
        containers.name_of(container): container.get("Labels") or {}
        for container in found
        if owner.owns(container.get("Labels"))
        and (container.get("State") == "running" or has_made_room(container, found, owner))
    }
    return {
        service: running[service].get(labels.TOKEN, "") if service in running else uuid.uuid4().hex
        for service in services
    }


def _image_token(engine: Engine, image: str) -> str:
    found = inspect_image(engine, image)
    if found is None:
        return uuid.uuid4().hex
    # A label that is not there was left out by a version that had no such label.
    return str((found["Config"].get("Labels") or {}).get(labels.TOKEN, ""))


def _look_for_work(
    engine: Engine, snapshot: Snapshot, owner: Owner, questions: TokenQuestions
) -> tuple[dict[str, _Work | None], list[TrainingRecord]]:
    """The work of every probe, and the records beside it."""
    mounts = {probe.step: _mount(probe) for probe in questions.probes}
    kept = questions.training_records and replace(questions.training_records, read_only=True)
    there = {
        mount: mounting(snapshot, owner, mount)
        for mount in {*mounts.values(), *([kept] if kept else [])}
        if is_there(snapshot, mount)
    }
    with look_into(engine, owner, {mount for mount, place in there.items() if not place}) as helper:
        reached = {mount: place or helper for mount, place in there.items()}
        looks: dict[Place, list[Probe]] = {}
        for probe in questions.probes:
            if place := reached.get(mounts[probe.step]):
                looks.setdefault(place, []).append(probe)
        keeper = reached.get(kept) if kept else None
        if keeper:
            looks.setdefault(keeper, [])
        found = in_parallel(
            [
                partial(_files_at, engine, place, asked, with_records=place == keeper)
                for place, asked in looks.items()
            ]
        )
        sizes = in_parallel(
            [
                partial(_layers_at, engine, place, asked, files)
                for (place, asked), files in zip(looks.items(), found, strict=True)
            ]
        )
    work = {
        probe.step: _work(probe, files, layers)
        for asked, files, layers in zip(looks.values(), found, sizes, strict=True)
        for probe in asked
    }
    records = [
        record
        for files in found
        for path, content in files.items()
        if PurePosixPath(path).is_relative_to(TRAINING_RECORDS)
        and (record := read_training_record(content))
    ]
    return {probe.step: work.get(probe.step) for probe in questions.probes}, records


def _mount(probe: Probe) -> Mount:
    return Mount(source=probe.source, target=probe.mounted_at, read_only=True)


def _files_at(
    engine: Engine, place: Place, probes: Sequence[Probe], *, with_records: bool
) -> Mapping[str, bytes]:
    """The files that tell of the work, by path, and the folder of records where it is asked for."""
    paths = [
        path
        for probe in probes
        for path in (probe.marker, probe.manifest, probe.kept_manifest)
        if path
    ]
    folders = [str(TRAINING_RECORDS)] if with_records else []
    if place.is_running:
        files = archive.read_running(engine, place.container, [*paths, *folders])
        if files is not None:
            return files
    asked = [*paths, *folders]
    read = [partial(archive.read_files, engine, place.container, path) for path in asked]
    return {
        str(PurePosixPath(path).parent / name): content
        for path, there in zip(asked, in_parallel(read), strict=True)
        for name, content in (there or {}).items()
    }


def _layers_at(
    engine: Engine, place: Place, probes: Sequence[Probe], files: Mapping[str, bytes]
) -> Mapping[str, int]:
    """Bytes of the layers of served models that are there."""
    manifests = [files.get(probe.manifest) for probe in probes if probe.manifest]
    wanted = [digest for manifest in manifests for digest in layers_of(manifest)]
    return layer_sizes(engine, place.container, wanted, is_running=place.is_running)


def _work(probe: Probe, files: Mapping[str, bytes], layers: Mapping[str, int]) -> _Work | None:
    content = files.get(probe.marker)
    if probe.manifest is None:
        marker = read_artefact_marker(content)
        return None if marker is None else _Work(token=marker.token, has_sums=marker.has_sums)
    served = read_served_marker(content)
    if served is None:
        return None
    places = [path for path in (probe.manifest, probe.kept_manifest) if path is not None]
    lies_at = [
        path
        for path in places
        if path in files and hashlib.sha256(files[path]).hexdigest() == served.manifest_digest
    ]
    if not lies_at:
        return None
    if probe.manifest not in lies_at:
        return _Work(token="", is_kept=True)
    fault = fault_of(layers_of(files[probe.manifest]), layers)
    return _Work(token=served.token, fault=fault)
