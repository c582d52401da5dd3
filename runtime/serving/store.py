"""What the store of an Ollama server tells of the models that stacks put there."""

import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath

from plan import labels
from plan.marker import ServedModelMarker, read_served_marker
from plan.paths import MARKER, SERVED_MARKERS
from runtime.docker import archive, containers
from runtime.docker.engine import Engine
from runtime.failure import MissingError

TRIALS = labels.NAMESPACE
"""Namespace of the names that a step gives for the time of its work."""


def candidate_name(stack: str, identity: str) -> str:
    """The name of a model that has not proved itself yet. Stacks may share a directory."""
    return f"{TRIALS}/{stack}:{identity}"


def trials(stack: str, models: Sequence[str]) -> list[str]:
    """Those of a server's models that a step of the stack made for the time of its work."""
    return [name for name in models if name.startswith(f"{TRIALS}/{stack}:")]


def is_running(engine: Engine, server: str) -> bool:
    """Whether the server's container is there and runs."""
    try:
        return bool(containers.inspect(engine, server)["State"]["Running"])
    except MissingError:
        return False


def read_markers(engine: Engine, server: str) -> dict[str, ServedModelMarker]:
    """Every marker in the store, by the folder that it lies in."""
    files = archive.read_files(engine, server, str(SERVED_MARKERS)) or {}
    markers = {
        str(SERVED_MARKERS.parent / PurePosixPath(name).parent): read_served_marker(content)
        for name, content in files.items()
        if PurePosixPath(name).name == MARKER
    }
    return {folder: marker for folder, marker in markers.items() if marker is not None}


def serves(engine: Engine, server: str, marker: ServedModelMarker) -> bool:
    """Whether the model that a marker tells of is still what its name stands for.

    What somebody else put under that name since is not the stack's to remove.
    """
    content = archive.read_file(engine, server, marker.manifest)
    return content is not None and hashlib.sha256(content).hexdigest() == marker.manifest_digest
