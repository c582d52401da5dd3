"""Verification: what an `up` is about to build on is held against its sums first.

Only what missing work begins with is read, and all of it. What is damaged is missing from then on:
its step makes it again, and what that step begins with is looked at in its turn. So the chain
begins again at the last good step, in the order that the graph has anyway.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath

from plan import labels
from plan.damage import DamageRequest, SummedArtefact
from plan.host import Probe, TokenQuestions
from plan.owner import Owner
from runtime.damage import find_damage
from runtime.docker.engine import Engine
from runtime.docker.images import inspect_image
from runtime.host.snapshot import Snapshot
from runtime.progress.progress import size


def find_damaged(
    engine: Engine,
    snapshot: Snapshot,
    owner: Owner,
    questions: TokenQuestions,
    there: Mapping[str, bool],
    *,
    say: Callable[[str], None],
) -> dict[str, str]:
    """What is wrong with work that is there, by step; it lies there no more.

    `there` has the steps whose work was found, and whether it says that it has sums.
    """
    damaged: dict[str, str] = {}
    seen: set[SummedArtefact] = set()
    at_work = _identities_at_work(snapshot, owner)
    idle = [probe for probe in questions.probes if probe.identity not in at_work]
    while asked := _to_read(idle, questions.probes, there, damaged, seen):
        if inspect_image(engine, questions.reader) is None:
            say(
                f"artefacts are not held against their sums: {questions.reader}, which reads them, "
                "is not there yet"
            )
            return damaged
        seen |= set(asked)
        folders = {artefact.folder for artefact in asked}
        mounts = {probe.mount for probe in questions.probes if str(probe.artefact) in folders}
        report = find_damage(
            engine,
            owner,
            DamageRequest(artefacts=tuple(asked)),
            image=questions.reader,
            mounts=sorted(mounts, key=lambda mount: mount.target),
        )
        if report.bytes:
            say(f"{size(report.bytes)} that are about to be read were held against their sums")
        for folder, fault in report.damaged.items():
            # Models that share a step share its work.
            damaged |= {
                probe.step: fault for probe in questions.probes if str(probe.artefact) == folder
            }
    return damaged


def _to_read(
    idle: Sequence[Probe],
    probes: Sequence[Probe],
    there: Mapping[str, bool],
    damaged: Mapping[str, str],
    seen: set[SummedArtefact],
) -> list[SummedArtefact]:
    """The artefacts that missing work begins with, and nobody has looked at yet.

    `idle` are the probes of work that nobody is at.
    """
    whole = there.keys() - damaged.keys()
    reads = {path: None for probe in idle if probe.step not in whole for path in probe.reads}
    found: dict[SummedArtefact, None] = {}
    for probe in probes:
        if probe.step not in whole:
            continue
        folder = str(probe.artefact)
        if wanted := [path for path in reads if PurePosixPath(path).is_relative_to(folder)]:
            files = () if folder in wanted else tuple(wanted)
            has_sums = there[probe.step]
            found[SummedArtefact(folder=folder, has_sums=has_sums, files=files)] = None
    return [artefact for artefact in found if artefact not in seen]


def _identities_at_work(snapshot: Snapshot, owner: Owner) -> set[str]:
    """Of steps whose container runs: they have read what they begin with."""
    return {
        str(given[labels.IDENTITY])
        for container in snapshot.containers
        if owner.owns(given := container.get("Labels") or {})
        and labels.IDENTITY in given
        and container.get("State") == "running"
    }
