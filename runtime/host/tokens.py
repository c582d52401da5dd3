"""Tokens of steps: the one in the marker of finished work, or a new one where work is missing.

A step's request holds its token: work that is gone brings a new token, which runs the step's
command again, and the program writes that token into the marker it leaves.
"""

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from plan import labels
from plan.container import Container, Mount
from plan.host import Probe, TokenQuestions, Tokens
from plan.marker import read_artefact_marker, read_served_marker
from plan.owner import Owner
from runtime.docker import archive, containers
from runtime.docker.engine import Engine, in_parallel
from runtime.failure import EngineError, MissingError, StepError
from runtime.host.snapshot import Snapshot
from runtime.steps.gpu_memory import has_made_room

HELPER = "host-look"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A container through which a volume can be looked into."""

    container: str
    is_running: bool


def find_tokens(
    engine: Engine, snapshot: Snapshot, owner: Owner, questions: TokenQuestions
) -> Tokens:
    """The token of everything that is there, and a new one for what is not."""
    steps = _step_tokens(engine, snapshot, owner, questions)
    return Tokens(
        steps={step: token or uuid.uuid4().hex for step, token in steps.items()},
        missing=tuple(step for step, token in steps.items() if token is None),
        images={
            role: _image_token(engine, image) or uuid.uuid4().hex
            for role, image in questions.images.items()
        },
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


def _image_token(engine: Engine, image: str) -> str | None:
    try:
        with engine.calls() as api:
            config = api.inspect_image(image)["Config"]  # type: ignore[no-untyped-call]
    except MissingError:
        return None
    # A label that is not there was left out by a version that had no such label.
    return str((config.get("Labels") or {}).get(labels.TOKEN, ""))


def _step_tokens(
    engine: Engine, snapshot: Snapshot, owner: Owner, questions: TokenQuestions
) -> dict[str, str | None]:
    there = [probe for probe in questions.probes if _is_there(probe, snapshot)]
    reached = {probe.step: _mounting(snapshot, probe, owner) for probe in there}
    unreached = {_mount(probe) for probe in there if reached[probe.step] is None}
    with look_into(engine, owner, unreached, images=questions.helper_images) as helper:
        looks: dict[Place, list[Probe]] = {}
        for probe in there:
            if place := reached[probe.step] or helper:
                looks.setdefault(place, []).append(probe)
        found = in_parallel(
            [partial(_tokens, engine, place, asked) for place, asked in looks.items()]
        )
    tokens = {step: token for answers in found for step, token in answers.items()}
    return {probe.step: tokens.get(probe.step) for probe in questions.probes}


def _is_there(probe: Probe, snapshot: Snapshot) -> bool:
    return _mount(probe).type == "bind" or probe.source in snapshot.volumes


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


def _mounting(snapshot: Snapshot, probe: Probe, owner: Owner) -> Place | None:
    """One of the stack's containers that has the probe's volume where the probe expects it."""
    places = [
        Place(container=str(container["Id"]), is_running=container.get("State") == "running")
        for container in snapshot.containers
        if container.get("State") not in ("removing", "dead")
        and owner.owns(container.get("Labels"))
        and containers.is_mounted(_mount(probe), container, writable=False)
    ]
    return max(places, key=lambda place: place.is_running, default=None)


def _mount(probe: Probe) -> Mount:
    return Mount(source=probe.source, target=probe.mounted_at, read_only=True)


@contextmanager
def look_into(
    engine: Engine, owner: Owner, mounts: set[Mount], *, images: Sequence[str]
) -> Iterator[Place | None]:
    """A container that mounts what no other does: created, never started, removed.

    Nothing where there is no image to make it from, or no such directory.
    """
    wanted = sorted(mounts, key=lambda mount: mount.source)
    created = _create(engine, owner, wanted, images) if wanted else None
    if created is None:
        yield None
        return
    try:
        yield Place(container=created, is_running=False)
    finally:
        containers.remove(engine, created)


def _create(
    engine: Engine, owner: Owner, mounts: Sequence[Mount], images: Sequence[str]
) -> str | None:
    for image in images:
        container = Container(image=image, mounts=tuple(mounts))
        try:
            # No name: two previews may look at the same time.
            return containers.create(engine, None, container, containers.step_labels(owner, HELPER))
        except EngineError as error:
            if error.status == HTTPStatus.BAD_REQUEST:
                # A directory of the host that is not there: no work is in it either.
                return None
            raise
        except StepError:
            continue
    return None
