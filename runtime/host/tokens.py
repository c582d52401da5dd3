"""Tokens of steps: the one in the marker of finished work, or a new one where work is missing.

A step's request holds its token: work that is gone brings a new token, which runs the step's
command again, and the program writes that token into the marker it leaves.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from plan import labels
from plan.container import Mount
from plan.host import Probe, TokenQuestions, Tokens
from plan.marker import read_artefact_marker, read_served_marker
from plan.owner import Owner
from runtime.docker import archive, containers
from runtime.docker.engine import Engine, in_parallel
from runtime.failure import MissingError
from runtime.host.place import Place, is_there, look_into, mounting
from runtime.host.snapshot import Snapshot
from runtime.steps.gpu_memory import has_made_room


@dataclass(frozen=True, kw_only=True)
class _Work:
    """Finished work that is there."""

    token: str
    """Empty where its step must run all the same."""
    is_kept: bool = False
    """Whether it is a model that another one has superseded."""


def find_tokens(
    engine: Engine, snapshot: Snapshot, owner: Owner, questions: TokenQuestions
) -> Tokens:
    """The token of everything that is there, and a new one for what is not."""
    work = _look_for_work(engine, snapshot, owner, questions)
    images = in_parallel(
        [partial(_image_token, engine, image) for image in questions.images.values()]
    )
    return Tokens(
        steps={
            step: found.token if found and found.token else uuid.uuid4().hex
            for step, found in work.items()
        },
        missing=tuple(step for step, found in work.items() if found is None),
        kept=tuple(step for step, found in work.items() if found and found.is_kept),
        images=dict(zip(questions.images, images, strict=True)),
        services=_service_tokens(snapshot, owner, questions.services),
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
    try:
        with engine.calls() as api:
            config = api.inspect_image(image)["Config"]  # type: ignore[no-untyped-call]
    except MissingError:
        return uuid.uuid4().hex
    # A label that is not there was left out by a version that had no such label.
    return str((config.get("Labels") or {}).get(labels.TOKEN, ""))


def _look_for_work(
    engine: Engine, snapshot: Snapshot, owner: Owner, questions: TokenQuestions
) -> dict[str, _Work | None]:
    mounts = {probe.step: _mount(probe) for probe in questions.probes}
    there = [probe for probe in questions.probes if is_there(snapshot, mounts[probe.step])]
    reached = {probe.step: mounting(snapshot, owner, mounts[probe.step]) for probe in there}
    unreached = {mounts[probe.step] for probe in there if reached[probe.step] is None}
    with look_into(engine, owner, unreached) as helper:
        looks: dict[Place, list[Probe]] = {}
        for probe in there:
            if place := reached[probe.step] or helper:
                looks.setdefault(place, []).append(probe)
        found = in_parallel(
            [partial(_work_at, engine, place, asked) for place, asked in looks.items()]
        )
    work = {step: each for answers in found for step, each in answers.items()}
    return {probe.step: work.get(probe.step) for probe in questions.probes}


def _mount(probe: Probe) -> Mount:
    return Mount(source=probe.source, target=probe.mounted_at, read_only=True)


def _work_at(engine: Engine, place: Place, probes: Sequence[Probe]) -> dict[str, _Work | None]:
    paths = [
        path
        for probe in probes
        for path in (probe.marker, probe.manifest, probe.kept_manifest)
        if path
    ]
    files = archive.read_running(engine, place.container, paths) if place.is_running else None
    if files is None:
        read = [partial(archive.read_file, engine, place.container, path) for path in paths]
        contents = zip(paths, in_parallel(read), strict=True)
        files = {path: content for path, content in contents if content is not None}
    return {probe.step: _work(probe, files) for probe in probes}


def _work(probe: Probe, files: Mapping[str, bytes]) -> _Work | None:
    content = files.get(probe.marker)
    if probe.manifest is None:
        marker = read_artefact_marker(content)
        return None if marker is None else _Work(token=marker.token)
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
    is_kept = probe.manifest not in lies_at
    return _Work(token="" if is_kept else served.token, is_kept=is_kept)
