"""A stack that has superseded a training: its state, and what a look at its host finds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from plan import paths
from plan.codec import encode
from plan.marker import ArtefactMarker
from plan.pipeline import PipelinePlan
from plan.survey import FoundFolder, Survey
from report.state import StackState, read_state
from retention.inventory import inventory
from retention.items import Item
from retention.look import HostSight
from tests.report.conftest import MADE, OWNER, exported, folder_of, planned

__all__ = ["planned"]


def state_of(plan: PipelinePlan, settings: Mapping[str, Any]) -> StackState:
    return read_state(exported(plan, settings))


def faster(document: dict[str, Any]) -> None:
    document["models"][0]["training_runs"][0]["learning_rate"] = 0.002


def slower(document: dict[str, Any]) -> None:
    document["models"][0]["training_runs"][0]["learning_rate"] = 0.0001


def sight_of(*plans: PipelinePlan, more: Sequence[FoundFolder] = (), **seen: Any) -> HostSight:
    """A look at a host with all that these plans made, the first of them at last."""
    folders = {
        str(step.artefact): folder_of(step, seconds=9, age=age)
        for age, plan in enumerate(plans)
        for model in plan.models
        for step in model.steps
    }
    for plan in plans:
        registration = plan.dataset_registration
        marker = ArtefactMarker(
            identity=registration.identity, step=registration.name, stack=OWNER.stack
        )
        texts = {paths.MARKER: encode(marker)}
        place = str(paths.data_marker(registration.identity).parent)
        folders[place] = FoundFolder(path=place, bytes=99, modified=MADE, texts=texts)
        for file in registration.files:
            place = file.target.rpartition("/")[0]
            folders[place] = FoundFolder(path=place, bytes=1000, modified=MADE)
    return HostSight(survey=Survey(folders=(*folders.values(), *more)), **seen)


def items_of(state: StackState, sight: HostSight, *others: StackState) -> dict[str, Item]:
    """The inventory, each item by the last part of what it is about."""
    return {item.name: item for item in inventory(state, others, sight)}


def partial(folder: FoundFolder) -> FoundFolder:
    """The same while it was being made."""
    return replace(folder, path=f"{folder.path}{paths.PARTIAL}")
