"""The one look at a host: what is asked, what was seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from plan import paths
from plan.artefacts import Artefact
from plan.container import Mount
from plan.model_shape import ModelShape
from plan.owner import Owner
from plan.problem import Problem
from plan.step import KeptArtefactsStep
from plan.training_record import TrainingRecord

HubName = Literal["huggingface", "modelscope"]

HUB_PAGES: Mapping[HubName, str] = {
    "huggingface": "https://huggingface.co",
    "modelscope": "https://www.modelscope.cn/models",
}


@dataclass(frozen=True, kw_only=True)
class PortClaim:
    """A host port that the stack will publish."""

    key: str
    bind_address: str
    port: int
    container: str
    """The container of the stack that may hold the port already."""


@dataclass(frozen=True, kw_only=True)
class HubModel:
    """A model on a hub, whose revision may move."""

    id: str
    revision: str
    hub: HubName = "huggingface"

    @property
    def key(self) -> str:
        """As facts name it."""
        prefix = "" if self.hub == "huggingface" else f"{self.hub}:"
        return f"{prefix}{self.id}@{self.revision}"

    @property
    def page(self) -> str:
        """Where the hub shows it to people."""
        return f"{HUB_PAGES[self.hub]}/{self.id}"

    @property
    def folder(self) -> PurePosixPath:
        """Where the cache keeps it."""
        return paths.hub_folder(self.hub, self.id)


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """A model that lies in a volume or a directory of the host."""

    source: str
    """Volume or directory, as a mount names it."""
    mounted_at: str
    path: str
    """The model's folder, as a container that mounts the source sees it."""


@dataclass(frozen=True, kw_only=True)
class HostMinimum:
    """What the settings say that the host must at least have."""

    cpu_cores: int | None
    memory_gb: float | None
    disk_gb: float | None


@dataclass(frozen=True, kw_only=True)
class HostQuestions:
    """What the plan depends on, and what the host must be."""

    engine: str | None
    owner: Owner
    hardware: str
    gpu_count: int | None
    """None: all that there are."""
    minimum: HostMinimum
    ports: tuple[PortClaim, ...]
    volumes: tuple[str, ...]
    """Names of volumes: one that is there without the stack's label belongs to somebody else."""
    networks: tuple[str, ...]
    containers: tuple[str, ...]
    pulled_images: tuple[str, ...] = ()
    """Images whose tag may move: their digest is part of what they make."""
    hub_models: tuple[HubModel, ...] = ()
    """Models on hubs whose revision may move."""
    hubs: Mapping[HubName, str] = field(default_factory=dict)
    """Addresses of hubs; one that is not here is at its usual one."""
    hub_proxy: str | None = None
    """Proxy that the hubs are reached through."""
    hub_cache: str | None = None
    """Volume or directory that keeps what was fetched from hubs, as a mount names it."""
    model_folders: tuple[ModelFolder, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HubModelFacts:
    """What the hub says of one model, to those who hold the stack's token."""

    size_gb: float | None = None
    """Of the files that are needed; None where it does not say."""
    is_begun: bool = False
    """Whether the cache holds files of the model: some may not have to be fetched."""
    refusal: Literal["gated", "unknown", "no_revision"] | None = None
    """Why it does not give the model away."""
    quantization: str | None = None
    """Method that its weights are quantized by, such as `gptq`; None for plain weights."""
    shape: ModelShape | None = None
    """None where its configuration is written in words that are not known here."""


@dataclass(frozen=True, kw_only=True)
class ModelFolderFacts:
    """What there is in the folder of a model."""

    digest: str
    """What tells it from another one in its place."""
    shape: ModelShape | None = None
    """As in `HubModelFacts`."""


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One accelerator, as its driver tells of it."""

    memory_gb: float


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """What was seen. Everything is empty or None where nobody looked."""

    engine_id: str = ""
    engine_version: str | None = None
    cpu_cores: int | None = None
    memory_gb: float | None = None
    disk_free_gb: float | None = None
    platform: str | None = None
    """Of the engine, such as `linux/amd64`: what images are built for."""
    runtimes: tuple[str, ...] = ()
    gpus: tuple[Gpu, ...] | None = None
    """None where no driver here tells of them."""
    image_digests: Mapping[str, str] = field(default_factory=dict)
    """By reference; one that nobody could tell is not there."""
    carried_images: Mapping[str, str] = field(default_factory=dict)
    """References of images that were built on another host and are on this engine, by
    `ImagePlan.build`."""
    hub_commits: Mapping[str, str] = field(default_factory=dict)
    """By `HubModel.key`."""
    hub_models: Mapping[str, HubModelFacts] = field(default_factory=dict)
    """By `HubModel.key`; one that the hub said nothing of is not there."""
    model_folders: Mapping[str, ModelFolderFacts] = field(default_factory=dict)
    """By path."""
    unchecked: tuple[str, ...] = ()
    """What could not be looked at from here."""


@dataclass(frozen=True, kw_only=True)
class HostFindings:
    """The facts, and what is wrong with the host."""

    facts: HostFacts
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Finished work to look for. Its token tells a step whether the work is still there."""

    step: str
    source: str
    """Volume or directory, as a mount names it."""
    mounted_at: str
    marker: str
    manifest: str | None = None
    """For an Ollama model: its manifest. Both are paths inside the container."""
    kept_manifest: str | None = None
    """Where the manifest is while another model has the name."""
    identity: str = ""
    """Of the work."""
    reads: tuple[str, ...] = ()
    """As `StepPlan.reads` has it."""

    @property
    def mount(self) -> Mount:
        """The volume at its place in a container."""
        return Mount(source=self.source, target=self.mounted_at)

    @property
    def artefact(self) -> PurePosixPath:
        """The folder that the marker vouches for."""
        return PurePosixPath(self.marker).parent


@dataclass(frozen=True, kw_only=True)
class TokenQuestions:
    """Which finished work is still there."""

    probes: tuple[Probe, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    """Images that the stack builds, by role: one that is gone gets another token."""
    services: tuple[str, ...] = ()
    """Containers that keep running, likewise."""
    training_records: Mount | None = None
    """The volume that they are kept in."""
    reader: str = ""
    """An image with Python, to read artefacts with."""
    kept_artefacts: KeptArtefactsStep | None = None
    """Says which artefacts an up will remove."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What changes when finished work, an image or a service is gone, and runs its step again."""

    steps: Mapping[str, str] = field(default_factory=dict)
    """By name."""
    missing: tuple[str, ...] = ()
    """Steps whose work is not there."""
    damaged: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with the work of some of them, by the step's name."""
    kept: tuple[str, ...] = ()
    """Steps of Ollama models that are kept while others have their names."""
    superseded: tuple[Artefact, ...] = ()
    """Artefacts that go once everything is made, as far as a look can tell."""
    images: Mapping[str, str] = field(default_factory=dict)
    """By role; those that the stack builds."""
    services: Mapping[str, str] = field(default_factory=dict)
    """By name."""
    training_records: tuple[TrainingRecord, ...] = ()
    """What earlier trainings took, the latest last."""
