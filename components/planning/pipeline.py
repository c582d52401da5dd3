"""The whole plan: one environment's settings become everything that is to be deployed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components.planning.base_model import locate_weights, plan_base_model
from components.planning.container import Accelerator, plan_accelerator
from components.planning.dataset_registration import (
    DatasetRegistrationPlan,
    plan_dataset_registration,
)
from components.planning.gguf_conversion import GgufConversionPlan, plan_gguf_conversion
from components.planning.host_check import HostCheckPlan, plan_host_check
from components.planning.images import ImagesPlan, plan_images
from components.planning.memory_estimate import find_memory_problems
from components.planning.merge import plan_merge
from components.planning.ollama_model import OllamaModelPlan, plan_ollama_model
from components.planning.services import ServicePlan, plan_board, plan_ollama_server
from components.planning.stage import StagePlan
from components.planning.training_run import TrainingRunPlan, Weights, plan_training_run
from components.planning.volumes import VolumesPlan, plan_volumes
from stack_configs.models import ModelSettings
from stack_configs.problem import Problem, SettingsError
from stack_configs.settings import Settings


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    """One model: the stages that make it, in order, and how it is served."""

    name: str
    base_model: StagePlan | None
    """None where the weights come from the hub or lie in a volume."""
    training_runs: tuple[TrainingRunPlan, ...]
    merge: StagePlan | None
    """None after full or freeze tuning: there is no adapter to merge."""
    gguf_conversion: GgufConversionPlan
    ollama_model: OllamaModelPlan

    @property
    def stages(self) -> Iterator[StagePlan]:
        """Every stage, in the order in which they build on each other."""
        yield from (self.base_model,) if self.base_model else ()
        yield from self.training_runs
        yield from (self.merge,) if self.merge else ()
        yield self.gguf_conversion


@dataclass(frozen=True, kw_only=True)
class PipelinePlan:
    """Everything that one stack deploys."""

    stack: str
    engine: str | None
    host_check: HostCheckPlan
    images: ImagesPlan
    volumes: VolumesPlan
    network: str
    dataset_registration: DatasetRegistrationPlan
    models: tuple[ModelPlan, ...]
    ollama_server: ServicePlan
    board: ServicePlan | None


def plan_pipeline(settings: Settings, *, stack: str) -> PipelinePlan:
    """The plan of one environment. `stack` is unique on its host: it begins every physical name.

    Raises `SettingsError` with every run that cannot fit into the declared GPU memory, and with
    steps of different models that would be called alike.
    """
    if problems := find_memory_problems(settings):
        raise SettingsError(stack, problems)
    images = plan_images(settings)
    volumes = plan_volumes(settings.volumes, stack)
    registration = plan_dataset_registration(settings.datasets)
    accelerator = plan_accelerator(settings.host)
    models = tuple(
        _plan_model(model, settings, stack, registration, images, accelerator)
        for model in settings.models
    )
    ollama_server = plan_ollama_server(settings, images, stack)
    board = plan_board(settings, images, stack)
    services = (ollama_server, *((board,) if board else ()))
    if problems := list(_names_twice(models, services)):
        raise SettingsError(stack, problems)
    return PipelinePlan(
        stack=stack,
        engine=settings.host.engine,
        host_check=plan_host_check(
            settings,
            stack=stack,
            volumes=volumes,
            services=services,
            registration=registration,
            stages=[stage for model in models for stage in model.stages],
            ollama_models=[model.ollama_model for model in models],
        ),
        images=images,
        volumes=volumes,
        network=f"{stack}-network",
        dataset_registration=registration,
        models=models,
        ollama_server=ollama_server,
        board=board,
    )


def _plan_model(
    model: ModelSettings,
    settings: Settings,
    stack: str,
    registration: DatasetRegistrationPlan,
    images: ImagesPlan,
    accelerator: Accelerator,
) -> ModelPlan:
    name = f"{stack}-{model.name}"
    offline = model.base_model.hub is None
    used = {dataset for run in model.training_runs for dataset in run.datasets}
    base_model = None
    if model.base_model.generate is not None:
        base_model = plan_base_model(
            model.base_model.generate,
            name=f"{name}-base-model",
            model=model.name,
            datasets=[dataset for dataset in registration.datasets if dataset.name in used],
            image=images.llamafactory,
        )
    weights = locate_weights(model.base_model, base_model)
    runs: dict[str, TrainingRunPlan] = {}
    last: TrainingRunPlan | None = None
    for run in model.training_runs:
        runs[run.name] = plan = plan_training_run(
            run,
            name=f"{name}-{run.name}",
            model=model.name,
            template=model.template,
            weights=weights,
            reward_model=runs[run.reward_model] if run.reward_model else None,
            datasets=[dataset for dataset in registration.datasets if dataset.name in run.datasets],
            image=images.llamafactory,
            accelerator=accelerator,
            shm_size_gb=settings.host.shm_size_gb,
            offline=offline,
        )
        # A reward model judges; the next run goes on from the policy, not from the judge.
        if run.stage != "rm":
            last, weights = plan, _weights_after(plan, weights)
    if last is None:
        raise AssertionError("the settings allow no model without a policy run")
    merge = None
    if weights.adapter is not None:
        merge = plan_merge(
            model.merge,
            name=f"{name}-merge",
            model=model.name,
            template=model.template,
            weights=weights,
            image=images.llamafactory,
            offline=offline,
        )
    gguf = plan_gguf_conversion(
        model.gguf_conversion,
        name=f"{name}-gguf-conversion",
        model=model.name,
        source=merge or last,
        image=images.converter,
    )
    return ModelPlan(
        name=model.name,
        base_model=base_model,
        training_runs=tuple(runs.values()),
        merge=merge,
        gguf_conversion=gguf,
        ollama_model=plan_ollama_model(model, name=f"{name}-ollama-model", gguf=gguf),
    )


def _names_twice(models: Sequence[ModelPlan], services: Sequence[ServicePlan]) -> Iterator[Problem]:
    """Containers called alike, such as run `b-c` of model `a` and run `c` of model `a-b`."""
    seen = {service.name for service in services}
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


def _weights_after(run: TrainingRunPlan, before: Weights) -> Weights:
    """What the next step starts from: the same model and a new adapter, or a new model."""
    if run.yields_adapter:
        return Weights(
            model=before.model,
            revision=before.revision,
            adapter=str(run.artefact),
            fingerprints=(run.fingerprint,),
        )
    return Weights(model=str(run.artefact), fingerprints=(run.fingerprint,))
