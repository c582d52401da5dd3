"""Steps: what finishes and leaves something behind. Each is one command and one program."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final, Generic, Literal, TypeVar

from plan import paths
from plan.container import Container, Mount
from plan.gpu_memory import GpuMemoryHolder
from plan.owner import Owner
from plan.references import References

Noun = Literal[
    "host-claim",
    "leftovers",
    "service-start",
    "dataset-registration",
    "accelerator-check",
    "base-model",
    "training-run",
    "merge",
    "chat-encoding",
    "gguf-conversion",
    "calibration-text",
    "importance-matrix",
    "quantization",
    "ollama-model",
    "served-models",
    "kept-artefacts",
    "publication",
]
"""What a step is: the first argument of its program, and the end of its resource's name."""

CONTAINER_NOUNS: Final[tuple[Noun, ...]] = (
    "accelerator-check",
    "base-model",
    "training-run",
    "merge",
    "chat-encoding",
    "gguf-conversion",
    "calibration-text",
    "importance-matrix",
    "quantization",
)
"""Steps that run in a container of their own and leave an artefact: one program for all."""


@dataclass(frozen=True, kw_only=True)
class StepPlan:
    """What all steps have in common."""

    name: str
    """Unique on the engine; becomes the name of its container, where it has one."""
    reads: tuple[str, ...] = ()
    """Artefacts of other steps, or files in them, that its work begins with."""


S_co = TypeVar("S_co", bound=StepPlan, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Request(Generic[S_co]):
    """What a program reads on standard input."""

    engine: str | None
    """Address of the engine; None where the environment or the docker context says it."""
    owner: Owner
    step: S_co
    token: str = ""
    """From the look at the host: changes when the step's work is gone."""


@dataclass(frozen=True, kw_only=True)
class ContainerStepPlan(StepPlan):
    """A step that runs in its own container and leaves an artefact in a volume."""

    noun: Noun
    title: str
    """What the operator reads while it runs."""
    identity: str
    """Of the content that it makes."""
    folder: str = ""
    """Name of the artefact's folder, where it is not the identity: hosts that train together may
    share a directory."""
    volume: str = str(paths.OUTPUT)
    """Where the volume of the artefact is mounted: what vouches for work must be lost with it."""
    container: Container
    files: Mapping[str, str] = field(default_factory=dict)
    """Rendered configuration: path below the artefact's folder -> content."""
    uploads: Mapping[str, str] = field(default_factory=dict)
    """Files of this machine that the container reads: path below the artefact's folder -> path
    from the project's folder."""
    progress_log: str | None = None
    """LLaMA-Factory's trainer_log.jsonl, below the artefact's folder."""
    results: str | None = None
    """JSON file of figures that become outputs, below the artefact's folder."""
    foretold_tokens: float | None = None
    """That a training is to read, padding included, by its rows and settings alone: kept in its
    record, to be held against what it has read. None where nobody knows."""
    secret_environment: tuple[str, ...] = ()
    """Variables that the container gets and no plan holds."""
    gpu_memory_holders: tuple[GpuMemoryHolder, ...] = ()
    """Services that make room on the GPUs while it runs."""
    preload: str | None = None
    """Library (globs) to preload when the static TLS block is exhausted (F5)."""
    deadline_seconds: int = 72 * 3600
    deadline_setting: str | None = None
    """Settings key of the deadline, where there is one."""

    @property
    def short_title(self) -> str:
        """The title without its details, to begin every line of progress with."""
        return self.title.partition(":")[0]

    @property
    def what(self) -> str:
        """As an error names it."""
        return f"{self.noun.replace('-', ' ')} {self.name}"

    @property
    def artefact(self) -> PurePosixPath:
        """Where the finished work lies."""
        return paths.artefact(self.folder or self.identity, PurePosixPath(self.volume))

    @property
    def partial(self) -> PurePosixPath:
        """Where it is made."""
        return paths.partial(self.folder or self.identity, PurePosixPath(self.volume))

    @property
    def marker(self) -> PurePosixPath:
        """The file in the artefact that vouches for it."""
        return self.artefact / paths.MARKER


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What a container step says on standard output, for the graph."""

    identity: str = ""
    """Empty in what an earlier version said."""
    artefact: str
    results: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DatasetFile:
    """A file or a folder of a data set here, and its place in the data volume."""

    name: str
    source: str
    """Path from the project's folder."""
    digest: str
    """SHA-256 of its content; of a folder, over names and contents below it."""
    target: str


@dataclass(frozen=True, kw_only=True)
class DatasetRegistrationStep(StepPlan):
    """All data sets of a stack, put into the data volume and registered there."""

    identity: str
    image: str
    """An image to reach the volume through; no container of it is started."""
    mount: Mount
    files: tuple[DatasetFile, ...]
    info: str
    """Content of `dataset_info.json`: what LLaMA Board lists."""
    marker: str


@dataclass(frozen=True, kw_only=True)
class ServedModelsStep(StepPlan):
    """Which models the server is to serve: every other one that the stack put there goes."""

    server: str
    served_names: tuple[str, ...]
    keep: bool
    """On delete: they stay in a store that is retained, and go with one that is not. What the
    stack put into a directory of the host is removed from there."""


@dataclass(frozen=True, kw_only=True)
class HostClaimStep(StepPlan):
    """The stack takes the host: no other of its name may live there, and it may not move."""

    engine_id: str = ""
    """What the look at the host saw; a stack whose engine is another one is told so."""


@dataclass(frozen=True, kw_only=True)
class HostClaimResult:
    """What the claim says: the stack's id on its host, and the engine that it lives on."""

    owner_id: str
    engine_id: str


@dataclass(frozen=True, kw_only=True)
class LeftoversStep(StepPlan):
    """Containers of steps that failed or were killed: they go before the volumes that they hold."""

    references: References | None = None
    """What is not left over. The state knows it before any of it is made, so that what an up that
    failed has begun counts too. None in what an earlier version left."""


@dataclass(frozen=True, kw_only=True)
class KeptArtefactsStep(StepPlan):
    """Which superseded artefacts stay once everything is made: others of these steps go."""

    image: str
    """One of the stack's, to look at the volume and remove from it with."""
    mount: Mount
    """The output volume."""
    references: References


@dataclass(frozen=True, kw_only=True)
class ServiceStartStep(StepPlan):
    """A service that must answer before anything is built on it. Its name is the container's."""

    title: str
    probe: tuple[str, ...]
    """Command inside the container that succeeds as soon as the service answers."""
    deadline_seconds: int
    settings: str
    """Section of the settings that it is configured in, for messages."""
    secret_environment: tuple[str, ...] = ()
    """Variables of the container that no message repeats."""
    preloads: bool = False
    """Whether its command preloads a library once `paths.PRELOAD` is there (F5)."""
