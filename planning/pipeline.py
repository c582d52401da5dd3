"""The whole plan: one environment's settings become everything that is to be deployed."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from plan.host import HostFacts
from plan.owner import Owner
from plan.pipeline import PipelinePlan
from plan.problem import Problem, SettingsError
from plan.service import ServicePlan
from plan.step import HostClaimStep, KeptArtefactsStep, LeftoversStep, ServedModelsStep
from planning.accelerator import plan_accelerator
from planning.accelerator_check import plan_accelerator_check
from planning.dataset_registration import plan_dataset_registration, plan_datasets
from planning.evaluation import count_parallel, find_untaught_calls
from planning.forecast.schedule import foretell_tokens
from planning.gpu_memory import plan_gpu_memory_holders
from planning.images import plan_images
from planning.limits import plan_limits
from planning.metrics import plan_metrics
from planning.model import TrainedModel, plan_model
from planning.names import physical_names
from planning.publication import plan_publication
from planning.references import refer
from planning.reverse_proxy import plan_reverse_proxy
from planning.services import (
    plan_api,
    plan_board,
    plan_ollama_server,
    plan_tensorboard,
)
from planning.step import Surroundings
from planning.volumes import plan_volumes
from stack_configs.settings.held_out import held_out_questions
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.root import Settings


def plan_pipeline(settings: Settings, *, owner: Owner, facts: HostFacts) -> PipelinePlan:
    """The plan of one environment. The owner's stack begins every physical name.

    Raises `SettingsError` with steps of different models that would be called alike, and with
    questions on tools that a model could not call.
    """
    around = Surroundings(
        owner=owner,
        images=plan_images(settings, facts),
        volumes=plan_volumes(settings.volumes, owner.stack),
        names=physical_names(owner.stack),
        limits=plan_limits(settings.host),
        is_measured=settings.metrics.enabled,
        read_only_root=settings.host.hardware != "npu",
    )
    datasets = plan_datasets(settings.datasets)
    accelerator = plan_accelerator(settings.host)
    ollama_server = plan_ollama_server(settings, around)
    held_out = {
        model.name: held_out_questions(model, settings.datasets) for model in settings.models
    }
    trained = {
        model.name: plan_model(
            model,
            host=settings.host,
            facts=facts,
            around=around,
            datasets=datasets,
            accelerator=accelerator,
            server=ollama_server.name,
            gpu_memory_holders=tuple(plan_gpu_memory_holders(settings, around.names)),
            mirrors=settings.images.mirrors,
            trackers=settings.trackers,
            held_out=held_out[model.name],
            parallel=count_parallel(settings.ollama_server),
            foretold_tokens=foretell_tokens(model, settings, facts),
        )
        for model in settings.models
    }
    by_name = {dataset.name: dataset for dataset in datasets}
    models = tuple(
        replace(
            made.plan,
            publication=plan_publication(
                model, settings.registry, made=made, datasets=by_name, facts=facts, around=around
            ),
        )
        for model, made in zip(settings.models, trained.values(), strict=True)
    )
    store = around.volumes.ollama
    accelerator_check = plan_accelerator_check(
        settings.host, around=around, accelerator=accelerator
    )
    registration = plan_dataset_registration(datasets, around)
    references = refer(
        settings.models, models, registration=registration, accelerator_check=accelerator_check
    )
    plan = PipelinePlan(
        owner=owner,
        engine=settings.host.engine,
        host_claim=HostClaimStep(name=around.name("host-claim"), engine_id=facts.engine_id),
        images=around.images,
        volumes=around.volumes,
        network=around.names.network,
        leftovers=LeftoversStep(name=around.name("leftovers"), references=references),
        accelerator_check=accelerator_check,
        dataset_registration=registration,
        models=models,
        served_models=ServedModelsStep(
            name=around.name("served-models"),
            server=ollama_server.name,
            served_names=tuple(sorted(model.ollama_model.served_name for model in models)),
            keep=store.retain or store.host_path is None,
        ),
        kept_artefacts=KeptArtefactsStep(
            name=around.name("kept-artefacts"),
            image=around.images.llamafactory.reference,
            mount=around.volumes.output.mount(),
            references=references,
        )
        if references.keep
        else None,
        ollama_server=ollama_server,
        board=plan_board(settings, around),
        api=_plan_api(settings, around, trained),
        tensorboard=plan_tensorboard(settings, around),
        metrics=plan_metrics(settings, around, registration=registration, models=models),
    )
    plan = replace(plan, reverse_proxy=plan_reverse_proxy(settings, around, plan.services))
    untaught = (
        problem
        for index, model in enumerate(settings.models)
        for problem in find_untaught_calls(
            index, model, trained[model.name].chat, held_out[model.name]
        )
    )
    if problems := [*_names_twice(plan), *untaught]:
        raise SettingsError(owner.stack, problems)
    return plan


def _api_model(settings: Settings) -> ModelSettings | None:
    """The model behind the API; the settings have seen to it that there is no doubt."""
    if not settings.api.enabled:
        return None
    chosen = settings.api.model or settings.models[0].name
    return next(model for model in settings.models if model.name == chosen)


def _plan_api(
    settings: Settings, around: Surroundings, trained: Mapping[str, TrainedModel]
) -> ServicePlan | None:
    model = _api_model(settings)
    if model is None:
        return None
    made = trained[model.name]
    return plan_api(settings, around, model=model, weights=made.weights, built_on=made.identity)


def _names_twice(plan: PipelinePlan) -> Iterator[Problem]:
    """Containers called alike, such as run `b-c` of model `a` and run `c` of model `a-b`."""
    checks = (plan.accelerator_check,) if plan.accelerator_check else ()
    named = (*plan.services, *checks, plan.dataset_registration)
    seen: dict[str, object] = {thing.name: thing for thing in named}
    for index, model in enumerate(plan.models):
        published = (model.publication,) if model.publication else ()
        for step in (*model.steps, model.ollama_model, *published):
            # Models that start from the same one share the step that fetches it.
            if seen.get(step.name, step) != step:
                yield Problem(
                    f"models[{index}].name",
                    repr(model.name),
                    f"with the name of a step it gives {step.name}, which is taken",
                    "Rename the model or its training run",
                )
            seen[step.name] = step
