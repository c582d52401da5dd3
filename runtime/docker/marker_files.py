"""Marker files on the engine: the one place where they are read and written."""

from pathlib import PurePosixPath

from plan.codec import encode
from plan.marker import ArtefactMarker, ServedModelMarker
from runtime.docker import archive
from runtime.docker.engine import Engine

Marker = ArtefactMarker | ServedModelMarker


def write_marker(engine: Engine, container: str, *, root: str, path: str, marker: Marker) -> None:
    """Write a marker where it does not say so already. `root` is a folder that is there."""
    content = marker_file(marker)
    if archive.read_file(engine, container, path) != content:
        name = str(PurePosixPath(path).relative_to(root))
        archive.put_files(engine, container, root, {name: content})


def marker_file(marker: Marker) -> bytes:
    """A marker as it lies in its file."""
    return f"{encode(marker)}\n".encode()
