"""Marker files on the engine: the one place where they are read and written."""

from dataclasses import replace
from pathlib import PurePosixPath

from plan.codec import encode
from plan.marker import ArtefactMarker, ServedModelMarker, read_artefact_marker
from plan.paths import SUMS
from plan.step import ContainerStepPlan
from runtime.docker import archive, containers
from runtime.docker.engine import Engine

Marker = ArtefactMarker | ServedModelMarker


class ArtefactMarkerFile:
    """The marker of one step's artefact, and the file that it lies in.

    Containers that mount the artefact's volume reach it.
    """

    def __init__(self, engine: Engine, step: ContainerStepPlan, marker: ArtefactMarker) -> None:
        self._engine, self._marker = engine, marker
        self._root, self._path = step.volume, str(step.marker)

    @property
    def content(self) -> bytes:
        """What a step that begins leaves in its folder."""
        return marker_file(self._marker)

    def vouch(self, container: str) -> None:
        """Give an artefact that another run began the token of this one."""
        found = self._read(container)
        # One that has lost its marker may still have them.
        has_sums = found.has_sums if found else self._has_sums(container)
        seconds = found.seconds if found else None
        self._write(container, found, seconds=seconds, has_sums=has_sums)

    def tell_time(self, container: str) -> None:
        """Let the artefact say how long the container ran that has made it.

        One that another run was quicker to make says its own time.
        """
        found = self._read(container)
        if found is not None and found.token == self._marker.token:
            seconds = containers.run_seconds(self._engine, container)
            self._write(container, found, seconds=seconds, has_sums=found.has_sums)

    def _read(self, container: str) -> ArtefactMarker | None:
        return read_artefact_marker(archive.read_file(self._engine, container, self._path))

    def _has_sums(self, container: str) -> bool:
        path = str(PurePosixPath(self._path).with_name(SUMS))
        return archive.size_of(self._engine, container, path) is not None

    def _write(
        self, container: str, found: Marker | None, *, seconds: float | None, has_sums: bool
    ) -> None:
        marker = replace(self._marker, seconds=seconds, has_sums=has_sums)
        if marker != found:
            _put(self._engine, container, root=self._root, path=self._path, marker=marker)


def write_marker(engine: Engine, container: str, *, root: str, path: str, marker: Marker) -> None:
    """Write a marker where it does not say so already. `root` is a folder that is there."""
    if archive.read_file(engine, container, path) != marker_file(marker):
        _put(engine, container, root=root, path=path, marker=marker)


def marker_file(marker: Marker) -> bytes:
    """A marker as it lies in its file."""
    return f"{encode(marker)}\n".encode()


def _put(engine: Engine, container: str, *, root: str, path: str, marker: Marker) -> None:
    name = str(PurePosixPath(path).relative_to(root))
    archive.put_files(engine, container, root, {name: marker_file(marker)})
