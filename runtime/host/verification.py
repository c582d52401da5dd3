"""Verification: what an `up` is about to build on is held against its sums first.

Only what missing work begins with is read, and all of it. What is damaged is missing from then on:
its step makes it again, and what that step begins with is looked at in its turn. So the chain
begins again at the last good step, in the order that the graph has anyway.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath

from plan import labels
from plan.damage import DamageRequest, SummedArtefact
from plan.host import Probe, TokenQuestions
from plan.owner import Owner
from runtime.damage import find_damage
from runtime.docker.engine import Engine
from runtime.failure import MissingError
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
    while asked := _to_read(snapshot, owner, questions, there, damaged, seen):
        if not _has_image(engine, questions.reader):
            say(
                f"artefacts are not held against their sums: {questions.reader}, which reads them, "
                "is not there yet"
            )
            return damaged
        seen |= set(asked)
        mounts = {
            probe.mount
            for probe in questions.probes
            if any(_holds(probe, artefact.folder) for artefact in asked)
        }
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
            damaged |= {probe.step: fault for probe in questions.probes if _holds(probe, folder)}
    return damaged


def _to_read(
    snapshot: Snapshot,
    owner: Owner,
    questions: TokenQuestions,
    there: Mapping[str, bool],
    damaged: Mapping[str, str],
    seen: set[SummedArtefact],
) -> list[SummedArtefact]:
    """The artefacts that missing work begins with, and nobody has looked at yet."""
    at_work = _identities_at_work(snapshot, owner)
    reads = {
        path: None
        for probe in questions.probes
        if (probe.step not in there or probe.step in damaged) and probe.identity not in at_work
        for path in probe.reads
    }
    found: dict[SummedArtefact, None] = {}
    for folder, has_sums in _artefacts(questions, there, damaged):
        if wanted := [path for path in reads if PurePosixPath(path).is_relative_to(folder)]:
            files = () if folder in wanted else tuple(wanted)
            found[SummedArtefact(folder=folder, has_sums=has_sums, files=files)] = None
    return [artefact for artefact in found if artefact not in seen]


def _artefacts(
    questions: TokenQuestions, there: Mapping[str, bool], damaged: Mapping[str, str]
) -> Iterator[tuple[str, bool]]:
    for probe in questions.probes:
        if probe.step in there and probe.step not in damaged:
            yield str(probe.artefact), there[probe.step]


def _holds(probe: Probe, folder: str) -> bool:
    return str(probe.artefact) == folder


def _identities_at_work(snapshot: Snapshot, owner: Owner) -> set[str]:
    """Of steps whose container runs: they have read what they begin with."""
    return {
        str(given[labels.IDENTITY])
        for container in snapshot.containers
        if owner.owns(given := container.get("Labels") or {})
        and labels.IDENTITY in given
        and container.get("State") == "running"
    }


def _has_image(engine: Engine, image: str) -> bool:
    try:
        with engine.calls() as api:
            api.inspect_image(image)  # type: ignore[no-untyped-call]
    except MissingError:
        return False
    return True
