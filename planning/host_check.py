"""The host check: what the host must be and have, and what to ask it before an up (H1-H3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from planning import paths
from planning.dataset_registration import DatasetRegistrationPlan
from planning.ollama_model import OllamaModelPlan
from planning.services import ServicePlan
from planning.stage import StagePlan
from planning.volumes import VolumesPlan
from stack_configs.settings.host import GpuSettings, Hardware, HostMinimumSettings
from stack_configs.settings.root import Settings


@dataclass(frozen=True, kw_only=True)
class PortClaim:
    """A host port that the stack will publish."""

    key: str
    bind_address: str
    port: int
    container: str
    """The container of the stack that may hold the port already."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A marker to look for; its token tells a step whether its work is still there."""

    step: str
    volume: str
    host_path: str | None
    """Directory of the host in the volume's place."""
    mounted_at: str
    """Where the stack's containers mount that volume."""
    marker: str
    manifest: str | None = None
    """For an Ollama model: its manifest. Both are paths inside the container."""


@dataclass(frozen=True, kw_only=True)
class HostCheckPlan:
    """What one look at the host, the only one of an up, has to find out."""

    stack: str
    engine: str | None
    check: Literal["full", "plan_only"]
    hardware: Hardware
    gpu: GpuSettings
    minimum: HostMinimumSettings
    ports: tuple[PortClaim, ...]
    volumes: tuple[str, ...]
    """Names of volumes: one that is there without the stack's label belongs to somebody else."""
    networks: tuple[str, ...]
    """Names of networks, likewise."""
    containers: tuple[str, ...]
    probes: tuple[Probe, ...]


def plan_host_check(
    settings: Settings,
    *,
    stack: str,
    volumes: VolumesPlan,
    network: str,
    services: Sequence[ServicePlan],
    registration: DatasetRegistrationPlan,
    stages: Sequence[StagePlan],
    ollama_models: Sequence[OllamaModelPlan],
) -> HostCheckPlan:
    """The host check of a pipeline."""
    probes = [
        Probe(
            step="dataset-registration",
            volume=volumes.data.name,
            host_path=volumes.data.host_path,
            mounted_at=str(paths.DATA),
            marker=registration.marker,
        ),
        *(
            Probe(
                step=stage.name,
                volume=volumes.output.name,
                host_path=volumes.output.host_path,
                mounted_at=str(paths.OUTPUT),
                marker=str(stage.marker),
            )
            for stage in stages
        ),
        *(
            Probe(
                step=model.name,
                volume=volumes.ollama.name,
                host_path=volumes.ollama.host_path,
                mounted_at=str(paths.OLLAMA_STORE),
                marker=model.marker,
                manifest=model.manifest,
            )
            for model in ollama_models
        ),
    ]
    return HostCheckPlan(
        stack=stack,
        engine=settings.host.engine,
        check=settings.host.check,
        hardware=settings.host.hardware,
        gpu=settings.host.gpu,
        minimum=settings.host.minimum,
        ports=tuple(
            PortClaim(
                key=service.key,
                bind_address=service.port.bind_address,
                port=service.port.external,
                container=service.name,
            )
            for service in services
        ),
        volumes=tuple(volume.name for volume in volumes),
        networks=(network,),
        containers=tuple(service.name for service in services),
        probes=tuple(probes),
    )
