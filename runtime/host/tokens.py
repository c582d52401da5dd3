"""Tokens of steps: the one in the marker of finished work, or a new one where work is missing.

A step's command reads its token on stdin: work that is gone brings a new token, which runs the
command again, and the command writes that token into the marker it leaves.
"""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from runtime.docker import archive, containers
from runtime.docker.containers import Mount
from runtime.docker.engine import Engine, in_parallel
from runtime.failure import EngineError, StepError
from runtime.host.host_facts import HostFacts
from runtime.host.host_problems import is_ours

HELPER = "host-check"
PLANNED = "planned"

Probe = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A container through which a volume can be looked into."""

    container: str
    is_running: bool


def new_token() -> str:
    """A token that no marker holds."""
    return uuid.uuid4().hex


def found_tokens(
    engine: Engine,
    facts: HostFacts,
    probes: Sequence[Probe],
    *,
    stack: str,
    helper_images: Sequence[str],
) -> dict[str, str | None]:
    """The token of every step whose work is there; None for the others."""
    there = [
        probe for probe in probes if probe.get("host_path") or probe["volume"] in facts.volumes
    ]
    reached = {probe["step"]: _mounting(facts, probe, stack) for probe in there}
    unreached = [probe for probe in there if reached[probe["step"]] is None]
    with _helper(engine, unreached, stack=stack, images=helper_images) as helper:
        looks: dict[Place, list[Probe]] = {}
        for probe in there:
            if place := reached[probe["step"]] or helper:
                looks.setdefault(place, []).append(probe)
        found = in_parallel(
            [partial(_tokens, engine, place, asked) for place, asked in looks.items()]
        )
    tokens = {step: token for answers in found for step, token in answers.items()}
    return {probe["step"]: tokens.get(probe["step"]) for probe in probes}


def _tokens(engine: Engine, place: Place, probes: Sequence[Probe]) -> dict[str, str | None]:
    paths = [path for probe in probes for path in (probe["marker"], probe.get("manifest")) if path]
    files = archive.read_running(engine, place.container, paths) if place.is_running else None
    if files is None:
        read = [partial(archive.read_file, engine, place.container, path) for path in paths]
        contents = zip(paths, in_parallel(read), strict=True)
        files = {path: content for path, content in contents if content is not None}
    return {probe["step"]: _token(probe, files) for probe in probes}


def _token(probe: Probe, files: Mapping[str, bytes]) -> str | None:
    try:
        marker = json.loads(files[probe["marker"]])
    except (KeyError, ValueError):
        return None
    if not isinstance(marker, dict) or not isinstance(token := marker.get("token"), str):
        return None
    if manifest := probe.get("manifest"):
        served = files.get(manifest)
        if served is None:
            return None
        if hashlib.sha256(served).hexdigest() != marker.get("manifest_digest"):
            return None
    return token


def _mounting(facts: HostFacts, probe: Probe, stack: str) -> Place | None:
    """One of the stack's containers that has the probe's volume where the probe expects it."""
    mount = _mount(probe)
    places = [
        Place(container=str(container["Id"]), is_running=container.get("State") == "running")
        for container in facts.containers
        if container.get("State") not in ("removing", "dead")
        and is_ours(container, stack)
        and mount.is_in(container, writable=False)
    ]
    return max(places, key=lambda place: place.is_running, default=None)


def _mount(probe: Probe) -> Mount:
    """The probe's volume, or the directory of the host that is in its place."""
    folder = probe.get("host_path")
    return Mount(
        type="bind" if folder else "volume",
        source=folder or probe["volume"],
        target=probe["mounted_at"],
        read_only=True,
    )


@contextmanager
def _helper(
    engine: Engine, probes: Sequence[Probe], *, stack: str, images: Sequence[str]
) -> Iterator[Place | None]:
    """A container that mounts what no other does: created, never started, removed."""
    mounts = {_mount(probe) for probe in probes}
    created = _create(engine, sorted(mounts, key=str), stack, images) if mounts else None
    if created is None:
        yield None
        return
    try:
        yield Place(container=created, is_running=False)
    finally:
        containers.remove(engine, created)


def _create(
    engine: Engine, mounts: Sequence[Mount], stack: str, images: Sequence[str]
) -> str | None:
    labels = {containers.STACK_LABEL: stack, containers.STEP_LABEL: HELPER}
    for image in (*images, *_own_images(engine, stack)):
        spec = containers.ContainerSpec(image=image, mounts=tuple(mounts))
        try:
            # No name: two previews may look at the same time.
            return containers.create(engine, None, spec, labels)
        except EngineError as error:
            if error.status == HTTPStatus.BAD_REQUEST:
                # A directory of the host that is not there: no work is in it either.
                return None
            raise
        except StepError:
            continue
    return None


def _own_images(engine: Engine, stack: str) -> Iterator[str]:
    with engine.calls() as api:
        found = api.images(filters={"label": f"{containers.STACK_LABEL}={stack}"})
    for image in found:
        yield str(image["Id"])
