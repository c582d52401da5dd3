"""Artefacts of steps in the volumes, finished or not, and the base models that were fetched."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from plan import labels, paths
from plan.artefacts import Artefact, read_artefact, superseded
from plan.removal import DoomedFolder, HubSnapshot
from plan.survey import FoundFolder
from report.state import StackState
from retention.items import Folder, Item, Kind, Standing
from retention.look import HostSight
from retention.names import Names
from retention.volumes import VolumeView, is_live
from runtime.docker.containers import Summary

KINDS: Mapping[str, Kind] = {
    "base-model": "base model",
    "training-run": "checkpoints",
    "merge": "merged weights",
    "gguf-conversion": "GGUF",
    "quantization": "GGUF",
}
"""By the noun of the step."""


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What the artefact of a base model says of the hub's cache beside it."""

    snapshot: HubSnapshot
    bytes: int

    @property
    def path(self) -> str:
        """Where the model's files lie."""
        repo = f"models--{self.snapshot.repo.replace('/', '--')}"
        return f"{self.snapshot.cache}/{repo}/snapshots/{self.snapshot.commit}"


def artefact_items(
    state: StackState, views: Mapping[str, VolumeView], sight: HostSight
) -> Iterator[Item]:
    """Everything that steps have left."""
    names = Names(state)
    for target in (str(paths.OUTPUT), str(paths.HF_CACHE)):
        if target not in views:
            continue
        root = PurePosixPath(target) / paths.RUNS.name
        folders = [f for f in sight.survey.folders if PurePosixPath(f.path).parent == root]
        judge = _Judge(state, views[target], folders, sight.containers)
        for folder in folders:
            yield judge.item(folder, names)


class _Judge:
    """How the artefacts of one volume stand."""

    def __init__(
        self,
        state: StackState,
        view: VolumeView,
        folders: Sequence[FoundFolder],
        containers: Sequence[Summary],
    ) -> None:
        self._stack, self._view = state.owner.stack, view
        self._live = [each for each in containers if is_live(each)]
        found = superseded(map(read_artefact, folders), self._stack, view.references)
        keep = view.references.keep
        self._kept = {
            each.path for step, of_step in found.items() for each in of_step[: keep.get(step, 0)]
        }
        self._needed = {
            fetched.snapshot
            for folder in folders
            if (fetched := fetched_by(folder))
            and self._standing(read_artefact(folder), fetched)[0] is not Standing.LEFT_OVER
        }

    def item(self, folder: FoundFolder, names: Names) -> Item:
        """The item of one folder."""
        artefact, fetched = read_artefact(folder), fetched_by(folder)
        standing, why = self._standing(artefact, fetched)
        is_left = standing is Standing.LEFT_OVER
        if fetched and is_left and self._is_for_others(fetched):
            fetched = None
        doomed = DoomedFolder(path=artefact.path, snapshot=fetched.snapshot if fetched else None)
        return Item(
            kind=KINDS.get(names.noun_of(artefact.step), "other artefacts"),
            name=PurePosixPath(artefact.path).name,
            bytes=artefact.bytes + (fetched.bytes if fetched else 0),
            standing=standing,
            why=why,
            model=names.model_of(artefact.step),
            step=names.step_of(artefact.step),
            way_out=Folder(volume=self._view.mount.target, doomed=doomed) if is_left else None,
        )

    def _is_for_others(self, fetched: Fetched) -> bool:
        """Whether an artefact that stays, or the settings themselves, need the same files."""
        return fetched.snapshot in self._needed or self._view.refers_to(fetched.path)

    def _standing(self, artefact: Artefact, fetched: Fetched | None) -> tuple[Standing, str]:
        if self._is_needed(artefact):
            told = "begun: the next up goes on with it" if artefact.is_partial else ""
            return Standing.IN_USE, told
        others_cache = fetched is not None and self._view.mount.type == "bind"
        keep = self._view.references.keep.get(artefact.step, 0)
        reasons = (
            (artefact.stack != self._stack, f"{artefact.stack or 'an earlier version'} left it"),
            (bool(self._view.veto), self._view.veto),
            (others_cache, "other programs may use the host's directory of the hub's cache"),
        )
        for stays, why in reasons:
            if stays:
                return Standing.STAYS, why
        if artefact.path in self._kept:
            return Standing.KEPT, f"keep is {keep}"
        if artefact.is_removed:
            return Standing.LEFT_OVER, "its removal broke off"
        begun = "interrupted, and the settings are others now"
        return Standing.LEFT_OVER, begun if artefact.is_partial else "superseded"

    def _is_needed(self, artefact: Artefact) -> bool:
        """Whether a stack refers to it, or something that runs has it."""
        return not artefact.is_removed and (
            self._view.refers_to(artefact.finished_path)
            or any(_has(container, artefact) for container in self._live)
        )


def _has(container: Summary, artefact: Artefact) -> bool:
    given = container.get("Labels") or {}
    return artefact.identity in (
        given.get(labels.IDENTITY),
        given.get(labels.BUILT_ON),
    ) or artefact.finished_path in str(container.get("Command"))


def fetched_by(folder: FoundFolder) -> Fetched | None:
    """What a step has fetched from the hub; None of every other folder."""
    record = _record(folder.texts.get(paths.FETCHED, ""))
    repo, commit = record.get("repo"), record.get("commit")
    if not (isinstance(repo, str) and isinstance(commit, str)):
        return None
    snapshot = HubSnapshot(repo=repo, commit=commit)
    if record.get("hub") == "modelscope":
        # Its files lie by what was asked for.
        asked = str(record.get("asked", commit))
        snapshot = HubSnapshot(repo=repo, commit=asked, cache=str(paths.MODELSCOPE_CACHE))
    return Fetched(snapshot=snapshot, bytes=int(record.get("total_bytes", 0)))


def _record(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
