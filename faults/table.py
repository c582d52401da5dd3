"""Which faults there are: what breaks, at which step, in which phase of it."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What breaks."""

    CLI = "CLI and program killed"
    CONTAINER = "step's container killed"


class Phase(StrEnum):
    """How far the step has come."""

    BEFORE = "before it starts"
    AT_WORK = "at work"
    RENAMED = "its artefact just named"
    AFTER = "its container just gone"


@dataclass(frozen=True)
class Fault:
    """One row: a kind, a step's noun as it ends the name of its container, a phase."""

    kind: Kind
    step: str
    phase: Phase

    @property
    def name(self) -> str:
        """How an operator chooses it."""
        return f"{self.kind.name}-{self.step}-{self.phase.name}".lower()


STEPS = ("base-model", "sft", "merge", "gguf-conversion")
"""Those that run in containers of their own."""

PHASES = {
    Kind.CLI: tuple(Phase),
    # Before it starts there is no process to kill, just after it there is no container.
    Kind.CONTAINER: (Phase.AT_WORK, Phase.RENAMED),
}

FAULTS = tuple(
    Fault(kind, step, phase)
    for kind, phases in PHASES.items()
    for step in STEPS
    for phase in phases
)
