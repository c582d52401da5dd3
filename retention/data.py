"""Data sets in the data volume: files, media and registrations, each named by its content."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from plan import paths
from plan.artefacts import read_artefact
from plan.removal import DoomedFolder
from plan.step import DatasetRegistrationStep
from plan.survey import FoundFolder
from report.state import StackState
from retention.items import Folder, Item, Standing
from retention.look import HostSight
from retention.volumes import VolumeView

BY_CONTENT = re.compile(r"[0-9a-f]{16}")
"""Names that the stack gives: what is called otherwise, an operator has put there."""
PLACES = (paths.DATA_FILES, paths.MEDIA, paths.REGISTRATIONS)


def data_items(
    state: StackState, views: Mapping[str, VolumeView], sight: HostSight
) -> Iterator[Item]:
    """Everything that registrations have put there."""
    view = views.get(str(paths.DATA))
    if view is None:
        return
    registered = {
        str(PurePosixPath(file.target).parent): file.name
        for plan in state.plans(DatasetRegistrationStep)
        for file in plan.files
    }
    for folder in sight.survey.folders:
        place = PurePosixPath(folder.path)
        name = place.name.removesuffix(paths.REMOVED)
        if place.parent not in PLACES or not BY_CONTENT.fullmatch(name):
            continue
        standing, why = _standing(folder, state.owner.stack, view)
        doomed = DoomedFolder(path=folder.path)
        yield Item(
            kind="data",
            name=registered.get(folder.path) or f"{place.parent.name}/{place.name}",
            bytes=folder.bytes,
            standing=standing,
            why=why,
            way_out=Folder(volume=view.mount.target, doomed=doomed)
            if standing is Standing.LEFT_OVER
            else None,
        )


def _standing(folder: FoundFolder, stack: str, view: VolumeView) -> tuple[Standing, str]:
    place = PurePosixPath(folder.path)
    is_removed = place.suffix == paths.REMOVED
    if not is_removed and view.refers_to(folder.path):
        return Standing.IN_USE, ""
    whose = read_artefact(folder).stack if place.parent == paths.REGISTRATIONS else stack
    if whose != stack:
        return Standing.STAYS, f"{whose or 'an earlier version'} has left it"
    if view.veto:
        return Standing.STAYS, view.veto
    return Standing.LEFT_OVER, "its removal broke off" if is_removed else "superseded"
