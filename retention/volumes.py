"""The volumes of a stack: who else has them, and what all of those refer to there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from plan import labels
from plan.artefacts import is_referred
from plan.container import Mount
from plan.references import References
from plan.step import ContainerStepPlan, DatasetRegistrationStep
from report.state import StackState, StateError
from retention.references import references_of
from runtime.docker.containers import Summary, name_of
from runtime.docker.neighbours import mounts_of, neighbours, overlap

LIVE = ("created", "running", "paused", "restarting")
"""States of a container that is at work, or waits for its turn."""


@dataclass(frozen=True, kw_only=True)
class VolumeView:
    """One volume, or the directory of the host in its place, as all stacks see it."""

    mount: Mount
    references: References
    """Of everybody who has it; what stays besides is this stack's."""
    veto: str = ""
    """Why nothing of it may go, whatever is left over."""

    def refers_to(self, path: str) -> bool:
        """Whether any stack needs what lies there."""
        return is_referred(path, self.references)


def volume_views(
    state: StackState, others: Sequence[StackState], containers: Sequence[Summary]
) -> Mapping[str, VolumeView]:
    """Each volume of the stack by where containers mount it.

    `others` are all other stacks whose state is known, wherever they live. Raises `StateError`
    where the stack's own state does not say what it refers to.
    """
    own = references_of(state)
    if own is None:
        raise StateError(
            f"the stack {state.stack} was brought up by a version that does not say what its "
            f"settings refer to. Run make up STACK={state.stack}, which trains nothing again"
        )
    known = {other.owner.stack: other for other in others if other.steps}
    return {mount.target: _view(mount, state, own, known, containers) for mount in state.mounts}


def _view(
    mount: Mount,
    state: StackState,
    own: References,
    known: Mapping[str, StackState],
    containers: Sequence[Summary],
) -> VolumeView:
    sharing = {
        name for name, other in known.items() if any(overlap(mount, m) for m in other.mounts)
    } | neighbours(containers, state.owner, mount)
    found = {
        name: references_of(known[name]) if name in known else None for name in sorted(sharing)
    }
    paths = {*own.paths, *_of_steps(state)}
    for name, references in found.items():
        paths |= {*(references.paths if references else ()), *_of_steps(known.get(name))}
    silent = [name for name, references in found.items() if references is None]
    superseded = [
        name_of(container)
        for container in containers
        if is_live(container)
        and any(overlap(mount, each) for each in mounts_of(container))
        and not _is_of(container, paths)
    ]
    veto = ""
    if silent:
        veto = f"{', '.join(silent)} has it too, and nobody here knows what of it"
    elif mount.type == "bind" and (state.settings.get("host") or {}).get("cluster"):
        veto = "the directory may be that of the other hosts of the cluster"
    elif superseded:
        veto = f"{', '.join(superseded)}, which the settings supersede, is still at work on it"
    return VolumeView(
        mount=mount,
        references=References(paths=tuple(sorted(paths)), keep=own.keep),
        veto=veto,
    )


def is_live(container: Summary) -> bool:
    """Whether a listed container is at work, or waits for its turn."""
    return container.get("State") in LIVE


def _is_of(container: Summary, referred: set[str]) -> bool:
    """Whether a container does no step's work, or one that a stack refers to: what that reads,
    stacks refer to as well."""
    identity = (container.get("Labels") or {}).get(labels.IDENTITY)
    return not identity or any(PurePosixPath(p).name.startswith(identity) for p in referred)


def _of_steps(state: StackState | None) -> Iterator[str]:
    """What stands in a state, which may be more than its last up was to make: it has failed."""
    for step in state.steps if state else ():
        match step.plan:
            case ContainerStepPlan() as plan:
                yield str(plan.artefact)
            case DatasetRegistrationStep() as plan:
                yield from (file.target for file in plan.files)
                yield plan.marker
