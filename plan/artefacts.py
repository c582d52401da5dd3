"""The artefacts in a volume: which are superseded, and which of those stay (O4)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from plan.marker import read_artefact_marker
from plan.paths import MARKER, PARTIAL, REMOVED
from plan.references import References
from plan.survey import FoundFolder


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """One folder that a step has made, or is making."""

    path: str
    identity: str
    bytes: int
    modified: float
    """Seconds since 1970 of the file that was written last."""
    step: str = ""
    """Name of the step that made it; empty where no marker tells."""
    stack: str = ""
    """Whose it is; likewise."""

    @property
    def is_partial(self) -> bool:
        """Whether its step has not come to its end."""
        return self.path.endswith(PARTIAL)

    @property
    def is_removed(self) -> bool:
        """Whether somebody has begun to remove it."""
        return self.path.endswith(REMOVED)

    @property
    def finished_path(self) -> str:
        """Where it lies, or will lie, when it is finished."""
        return self.path.removesuffix(REMOVED).removesuffix(PARTIAL)


def read_artefact(folder: FoundFolder) -> Artefact:
    """The artefact in a folder of a survey that has kept the markers."""
    marker = read_artefact_marker(folder.texts.get(MARKER, "").encode())
    name = PurePosixPath(folder.path).name
    return Artefact(
        path=folder.path,
        identity=marker.identity if marker else name.partition(".")[0],
        bytes=folder.bytes,
        modified=folder.modified,
        step=marker.step if marker else "",
        stack=marker.stack if marker else "",
    )


def superseded(
    artefacts: Iterable[Artefact], stack: str, references: References
) -> Mapping[str, list[Artefact]]:
    """What the stack has finished and refers to no more, by step, the last one first."""
    found: dict[str, list[Artefact]] = defaultdict(list)
    for artefact in sorted(artefacts, key=lambda each: each.modified, reverse=True):
        is_finished = not (artefact.is_partial or artefact.is_removed)
        if is_finished and artefact.stack == stack and not is_referred(artefact.path, references):
            found[artefact.step].append(artefact)
    return found


def beyond_keep(
    artefacts: Iterable[Artefact], stack: str, references: References
) -> Iterator[Artefact]:
    """Superseded artefacts of steps that say how many of them stay, beyond that number."""
    for step, found in superseded(artefacts, stack, references).items():
        if step in references.keep:
            yield from found[references.keep[step] :]


def is_referred(path: str, references: References) -> bool:
    """Whether the stack refers to a folder, to something in it, or to all that it is in."""
    folder = PurePosixPath(path)
    return any(
        PurePosixPath(each).is_relative_to(folder) or folder.is_relative_to(each)
        for each in references.paths
    )
