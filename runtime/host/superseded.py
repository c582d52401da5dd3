"""Which superseded artefacts an up will remove, found out with nothing started."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from plan import paths
from plan.artefacts import Artefact, beyond_keep, read_artefact
from plan.owner import Owner
from plan.step import KeptArtefactsStep
from plan.survey import FoundFolder
from runtime.docker.engine import Engine
from runtime.docker.execution import output_of
from runtime.docker.neighbours import neighbours
from runtime.failure import EngineError
from runtime.host.place import mounting
from runtime.host.snapshot import Snapshot

LIST = ("find", str(paths.RUNS), "-mindepth", "2", "-type", "f", "-printf", "%T@ %s %P\\n")
"""Every file of every artefact: seconds since 1970, bytes, path."""
MARKERS = ("sh", "-c", f"cd {paths.RUNS} && head -c 65536 */{paths.MARKER}")
"""Their markers, each after a line with its name: `==> IDENTITY/complete.json <==`."""


def find_superseded(
    engine: Engine, snapshot: Snapshot, owner: Owner, step: KeptArtefactsStep | None
) -> tuple[Artefact, ...]:
    """Those beyond the number that the models keep.

    None where no container of the stack runs that has the volume, as before a first up, and where
    another stack has it too: then the up removes none.
    """
    if step is None:
        return ()
    place = mounting(snapshot, owner, step.mount)
    is_shared = neighbours(snapshot.containers, owner, step.mount)
    if place is None or not place.is_running or is_shared:
        return ()
    try:
        listed = output_of(engine, place.container, LIST).decode("utf-8", "replace")
        told = output_of(engine, place.container, MARKERS).decode("utf-8", "replace")
    except EngineError:
        # It has ended meanwhile, or is an image without these programs.
        return ()
    artefacts = map(read_artefact, _folders(listed, dict(_markers(told))))
    return tuple(beyond_keep(artefacts, owner.stack, step.references))


def _folders(listed: str, markers: Mapping[str, str]) -> Iterator[FoundFolder]:
    files: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for line in listed.splitlines():
        time, size, path = line.split(" ", 2)
        files[PurePosixPath(path).parts[0]].append((float(time), int(size)))
    for name, found in files.items():
        yield FoundFolder(
            path=str(paths.RUNS / name),
            bytes=sum(size for _, size in found),
            modified=max(time for time, _ in found),
            texts={paths.MARKER: markers[name]} if name in markers else {},
        )


def _markers(told: str) -> Iterator[tuple[str, str]]:
    name, lines = "", list[str]()
    for line in [*told.splitlines(), "==> / <=="]:
        if line.startswith("==> ") and line.endswith(" <=="):
            if name:
                yield name, "\n".join(lines)
            name, lines = line.removeprefix("==> ").partition("/")[0], []
        else:
            lines.append(line)
