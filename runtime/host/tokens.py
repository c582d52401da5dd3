"""Tokens of steps: the one in the marker of finished work, or a new one where work is missing.

A step's request holds its token: work that is gone brings a new token, which runs the step's
command again, and the program writes that token into the marker it leaves.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
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


def find_tokens(
    engine: Engine, snapshot: Snapshot, owner: Owner, questions: TokenQuestions
) -> Tokens:
    """The token of everything that is there, and a new one for what is not."""
    steps = _step_tokens(engine, snapshot, owner, questions)
    images = in_parallel(
        [partial(_image_token, engine, image) for image in questions.images.values()]
    )
    return Tokens(
        steps={step: token or uuid.uuid4().hex for step, token in steps.items()},
        missing=tuple(step for step, token in steps.items() if token is None),
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


def _step_tokens(
    engine: Engine, snapshot: Snapshot, owner: Owner, questions: TokenQuestions
) -> dict[str, str | None]:
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
            [partial(_tokens, engine, place, asked) for place, asked in looks.items()]
        )
    tokens = {step: token for answers in found for step, token in answers.items()}
    return {probe.step: tokens.get(probe.step) for probe in questions.probes}


def _mount(probe: Probe) -> Mount:
    return Mount(source=probe.source, target=probe.mounted_at, read_only=True)


def _tokens(engine: Engine, place: Place, probes: Sequence[Probe]) -> dict[str, str | None]:
    paths = [path for probe in probes for path in (probe.marker, probe.manifest) if path]
    files = archive.read_running(engine, place.container, paths) if place.is_running else None
    if files is None:
        read = [partial(archive.read_file, engine, place.container, path) for path in paths]
        contents = zip(paths, in_parallel(read), strict=True)
        files = {path: content for path, content in contents if content is not None}
    return {probe.step: _token(probe, files) for probe in probes}


def _token(probe: Probe, files: Mapping[str, bytes]) -> str | None:
    content = files.get(probe.marker)
    if probe.manifest is None:
        marker = read_artefact_marker(content)
        return None if marker is None else marker.token
    served = read_served_marker(content)
    manifest = files.get(probe.manifest)
    if served is None or manifest is None:
        return None
    return served.token if hashlib.sha256(manifest).hexdigest() == served.manifest_digest else None
