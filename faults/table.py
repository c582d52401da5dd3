"""Which faults there are: what breaks, at which step, in which phase of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What breaks."""

    CLI = "CLI and program killed"
    CLI_ALONE = "CLI alone killed"
    SECOND_UP = "second up begun"
    PROGRAM = "program killed"
    CONTAINER = "container killed"
    STOP = "container stopped"
    SERVER = "Ollama killed"
    SERVER_STOP = "Ollama stopped"
    ARTEFACT_GONE = "artefact removed"
    MARKER_GONE = "marker removed"
    MARKER_CUT = "marker cut in half"


class Phase(StrEnum):
    """How far the step has come."""

    BEFORE = "created, not started"
    AT_WORK = "at work"
    CHECKPOINT = "first checkpoint whole"
    NAMING = "about to name its artefact"
    NAMED = "artefact just named"
    AFTER = "container gone, result not told"
    CREATING = "Ollama begins to create it"
    ASKED = "candidate made, being asked"
    TAKING = "takes the name"
    AT_REST = "at rest"


@dataclass(frozen=True)
class Step:
    """A step of the small stack."""

    name: str
    """As it ends the name of its container, where it has one of its own."""
    program: str
    """The noun of the program that sees to it."""


@dataclass(frozen=True)
class Fault:
    """One row."""

    kind: Kind
    step: Step
    phase: Phase

    @property
    def stops_serving(self) -> bool:
        """Whether the model that serves cannot answer until the stack has healed."""
        return self.kind in (Kind.SERVER, Kind.SERVER_STOP)

    @property
    def name(self) -> str:
        """How an operator chooses it."""
        return f"{self.kind.name}-{self.step.name}-{self.phase.name}".lower()


TRAINING = Step("sft", "training-run")
CONVERSION = Step("gguf-conversion", "gguf-conversion")
SERVING = Step("ollama-model", "ollama-model")
"""In the container of the server."""

STEPS = (Step("base-model", "base-model"), TRAINING, Step("merge", "merge"), CONVERSION)

PROGRAM_PHASES = (Phase.BEFORE, Phase.AT_WORK, Phase.NAMING, Phase.NAMED, Phase.AFTER)
CONTAINER_PHASES = (Phase.AT_WORK, Phase.NAMING, Phase.NAMED)
"""Before it starts there is nothing to kill in it, and after it no container."""

SERVING_PHASES = (Phase.CREATING, Phase.ASKED, Phase.TAKING)
SERVING_KINDS = (
    Kind.CLI,
    Kind.CLI_ALONE,
    Kind.SECOND_UP,
    Kind.PROGRAM,
    Kind.SERVER,
    Kind.SERVER_STOP,
)
DAMAGES = (Kind.ARTEFACT_GONE, Kind.MARKER_GONE, Kind.MARKER_CUT)
"""Of what was made already, while nobody is at work."""

PHASES: Mapping[Kind, Sequence[Phase]] = {
    Kind.CLI: PROGRAM_PHASES,
    Kind.CLI_ALONE: (Phase.AT_WORK, Phase.NAMED),
    Kind.SECOND_UP: (Phase.AT_WORK,),
    Kind.PROGRAM: PROGRAM_PHASES,
    Kind.CONTAINER: CONTAINER_PHASES,
    Kind.STOP: CONTAINER_PHASES,
}

FAULTS = (
    *(
        Fault(kind, step, phase)
        for kind, phases in PHASES.items()
        for step in STEPS
        for phase in phases
    ),
    *(Fault(kind, TRAINING, Phase.CHECKPOINT) for kind in PHASES),
    *(Fault(kind, SERVING, phase) for kind in SERVING_KINDS for phase in SERVING_PHASES),
    *(Fault(kind, step, Phase.AT_REST) for kind in DAMAGES for step in STEPS),
)
