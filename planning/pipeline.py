"""The whole plan: one environment's settings become everything that is to be deployed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from planning.accelerator_check import plan_accelerator_check
from planning.container import plan_accelerator
from planning.dataset_registration import (
    DatasetRegistrationPlan,
    plan_dataset_registration,
)
from planning.host_check import HostCheckPlan, plan_host_check
from planning.images import ImagesPlan, plan_images
from planning.memory_estimate import find_memory_problems
from planning.model import ModelPlan, plan_model
from planning.services import (
    ServicePlan,
    plan_api,
    plan_board,
    plan_ollama_server,
)
from planning.stage import StagePlan
from planning.volumes import VolumesPlan, plan_volumes
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.problem import Problem, SettingsError
from stack_configs.settings.root import Settings


@dataclass(frozen=True, kw_only=True)
class PipelinePlan:
    """Everything that one stack deploys."""

    stack: str
    engine: str | None
    host_check: HostCheckPlan
    images: ImagesPlan
    volumes: VolumesPlan
    network: str
    accelerator_check: StagePlan | None
    """None where no accelerator is declared."""
    dataset_registration: DatasetRegistrationPlan
    models: tuple[ModelPlan, ...]
    one_training_at_a_time: bool
    """Whether runs of different models wait for each other."""
    ollama_server: ServicePlan
    board: ServicePlan | None
    api: ServicePlan | None
    api_model: str | None
    """Name of the model behind the API."""


def plan_pipeline(settings: Settings, *, stack: str) -> PipelinePlan:
    """The plan of one environment. `stack` is unique on its host: it begins every physical name.

    Raises `SettingsError` with every run that cannot fit into the declared GPU memory, and with
    steps of different models that would be called alike.
    """
    if problems := find_memory_problems(settings):
        raise SettingsError(stack, problems)
    network = f"{stack}-network"
    images = plan_images(settings)
    volumes = plan_volumes(settings.volumes, stack)
    registration = plan_dataset_registration(settings.datasets)
    accelerator = plan_accelerator(settings.host)
    accelerator_check = plan_accelerator_check(
        settings.host,
        name=f"{stack}-accelerator-check",
        image=images.llamafactory,
        accelerator=accelerator,
    )
    models = tuple(
        plan_model(model, settings, stack, registration, images, accelerator)
        for model in settings.models
    )
    ollama_server = plan_ollama_server(settings, images, stack)
    board = plan_board(settings, images, stack)
    api_model = _api_model(settings)
    api = None
    if api_model is not None:
        (weights,) = (plan.weights for plan in models if plan.name == api_model.name)
        api = plan_api(settings, images, stack, model=api_model, weights=weights)
    services = [service for service in (ollama_server, board, api) if service]
    checks = (accelerator_check,) if accelerator_check else ()
    if problems := list(_names_twice(models, taken=[step.name for step in (*services, *checks)])):
        raise SettingsError(stack, problems)
    return PipelinePlan(
        stack=stack,
        engine=settings.host.engine,
        host_check=plan_host_check(
            settings,
            stack=stack,
            volumes=volumes,
            network=network,
            services=services,
            registration=registration,
            stages=[*checks, *(stage for model in models for stage in model.stages)],
            ollama_models=[model.ollama_model for model in models],
        ),
        images=images,
        volumes=volumes,
        network=network,
        accelerator_check=accelerator_check,
        dataset_registration=registration,
        models=models,
        # Two on the same GPUs would both run out of memory; processors share theirs well.
        one_training_at_a_time=settings.host.hardware != "cpu",
        ollama_server=ollama_server,
        board=board,
        api=api,
        api_model=api_model.name if api_model else None,
    )


def _api_model(settings: Settings) -> ModelSettings | None:
    """The model behind the API; the settings have seen to it that there is no doubt."""
    if not settings.api.enabled:
        return None
    chosen = settings.api.model or settings.models[0].name
    return next(model for model in settings.models if model.name == chosen)


def _names_twice(models: Sequence[ModelPlan], *, taken: Sequence[str]) -> Iterator[Problem]:
    """Containers called alike, such as run `b-c` of model `a` and run `c` of model `a-b`."""
    seen = set(taken)
    for index, model in enumerate(models):
        for name in (*(stage.name for stage in model.stages), model.ollama_model.name):
            if name in seen:
                yield Problem(
                    f"models[{index}].name",
                    repr(model.name),
                    f"with the name of a step it gives {name}, which is taken",
                    "Rename the model or its training run",
                )
            seen.add(name)
