"""The whole plan: everything that one stack deploys."""

from collections.abc import Iterator
from dataclasses import dataclass

from plan.image import ImagesPlan
from plan.ollama_model import OllamaModelStep
from plan.owner import Owner
from plan.publication import PublicationStep
from plan.service import ServicePlan
from plan.step import (
    ContainerStepPlan,
    DatasetRegistrationStep,
    HostClaimStep,
    KeptArtefactsStep,
    LeftoversStep,
    ServedModelsStep,
)
from plan.volume import VolumesPlan


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    """One model: the steps that make it, in order, and how it is served."""

    name: str
    steps: tuple[ContainerStepPlan, ...]
    """From base weights to GGUF, each built on the one before."""
    ollama_model: OllamaModelStep
    publication: PublicationStep | None = None
    """None where it is pushed to no registry."""


@dataclass(frozen=True, kw_only=True)
class PipelinePlan:
    """Everything that one stack deploys."""

    owner: Owner
    engine: str | None
    host_claim: HostClaimStep
    images: ImagesPlan
    volumes: VolumesPlan
    network: str
    leftovers: LeftoversStep
    accelerator_check: ContainerStepPlan | None
    """None where no accelerator is declared."""
    dataset_registration: DatasetRegistrationStep
    models: tuple[ModelPlan, ...]
    served_models: ServedModelsStep
    kept_artefacts: KeptArtefactsStep | None
    """None where no model says how many stay."""
    ollama_server: ServicePlan
    board: ServicePlan | None
    api: ServicePlan | None
    tensorboard: ServicePlan | None
    metrics: ServicePlan | None
    reverse_proxy: ServicePlan | None = None
    """In front of the services; None where none runs."""

    @property
    def stack(self) -> str:
        """The stack's name on its host: it begins every physical name."""
        return self.owner.stack

    @property
    def services(self) -> tuple[ServicePlan, ...]:
        """What keeps running."""
        every = (
            *(self.ollama_server, self.board, self.api, self.tensorboard, self.metrics),
            self.reverse_proxy,
        )
        return tuple(service for service in every if service is not None)

    @property
    def container_steps(self) -> Iterator[ContainerStepPlan]:
        """Every step that runs in a container, in an order that they can run in."""
        if self.accelerator_check is not None:
            yield self.accelerator_check
        steps = (step for model in self.models for step in model.steps)
        # Models that start from the same one share the step that fetches it.
        yield from {step.name: step for step in steps}.values()
