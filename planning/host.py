"""The look at the host: what to ask before the plan, which finished work to look for (H1-H3)."""

from collections.abc import Iterator, Set
from pathlib import PurePosixPath

from plan import paths
from plan.container import Mount
from plan.host import (
    HostFacts,
    HostFindings,
    HostMinimum,
    HostQuestions,
    ModelFolder,
    PortClaim,
    Probe,
    TokenQuestions,
    Tokens,
)
from plan.owner import Owner
from plan.pipeline import PipelinePlan
from plan.problem import Problem, SettingsError
from plan.step import ContainerStepPlan, DatasetRegistrationStep
from planning.hub_model import hub_addresses, hub_model_of, hub_model_problems
from planning.names import PhysicalNames, physical_names
from planning.publication import registry_problems
from planning.recipes import pulled_images
from planning.reverse_proxy import reverse_proxy_problems
from planning.trackers import missing_keys
from planning.volumes import plan_volumes
from stack_configs.settings.root import Settings

GB = 1000**3


def ask_about_host(settings: Settings, owner: Owner) -> HostQuestions:
    """What must be known of the host before anything can be planned for it."""
    host, names = settings.host, physical_names(owner.stack)
    volumes = plan_volumes(settings.volumes, owner.stack)
    ports = tuple(_port_claims(settings, names))
    bases = [model.base_model for model in settings.models]
    return HostQuestions(
        engine=host.engine,
        owner=owner,
        hardware=host.hardware,
        gpu_count=None if host.gpu.count == "all" else host.gpu.count,
        minimum=HostMinimum(**host.minimum.model_dump()),
        ports=ports,
        volumes=tuple(volume.name for volume in volumes if volume.host_path is None),
        networks=(names.network,),
        containers=tuple(dict.fromkeys(claim.container for claim in ports)),
        pulled_images=pulled_images(settings.images),
        hub_models=tuple(
            dict.fromkeys(model for base in bases if (model := hub_model_of(base)) is not None)
        ),
        hubs=hub_addresses(settings.images.mirrors),
        hub_proxy=settings.images.mirrors.proxy,
        hub_cache=volumes.hf_cache.source,
        model_folders=tuple(
            ModelFolder(source=volume.source, mounted_at=volume.target, path=base.path)
            for base in bases
            if base.path is not None and (volume := volumes.holding(base.path)) is not None
        ),
    )


def ask_for_tokens(plan: PipelinePlan) -> TokenQuestions:
    """Which of the plan's work may be there already."""
    store = plan.volumes.ollama.mount()
    registration = plan.dataset_registration
    return TokenQuestions(
        probes=(
            _probe(registration, registration.mount, registration.marker),
            *(
                _probe(step, plan.volumes.mounted_at(step.volume).mount(), step.marker)
                for step in plan.container_steps
            ),
            *(
                Probe(
                    step=model.ollama_model.name,
                    source=store.source,
                    mounted_at=str(paths.OLLAMA_STORE),
                    marker=str(model.ollama_model.marker),
                    manifest=str(model.ollama_model.manifest),
                    kept_manifest=str(model.ollama_model.kept_manifest),
                    identity=model.ollama_model.identity,
                    # A model that was kept is made of nothing.
                    reads=() if model.ollama_model.rollback_to else model.ollama_model.reads,
                )
                for model in plan.models
            ),
        ),
        images={image.role: image.reference for image in plan.images.all if image.is_built},
        services=tuple(service.name for service in plan.services),
        training_records=plan.volumes.output.mount(),
        reader=plan.images.llamafactory.reference,
        kept_artefacts=plan.kept_artefacts,
    )


def judge_host(
    settings: Settings,
    plan: PipelinePlan,
    findings: HostFindings,
    tokens: Tokens,
    *,
    secrets: Set[str] = frozenset(),
) -> None:
    """Raises `SettingsError` with everything that keeps the host from running the plan.

    `secrets` are the names of the stack's secrets that are set.
    """
    problems = [
        *findings.problems,
        *missing_keys(settings, secrets),
        *registry_problems(settings, secrets),
        *reverse_proxy_problems(settings, secrets),
        *_room_problems(settings, findings.facts, tokens),
        *hub_model_problems(settings, plan, findings.facts, tokens),
        *_rollback_problems(plan, tokens),
    ]
    if problems:
        raise SettingsError("the host", problems)


def _room_problems(settings: Settings, facts: HostFacts, tokens: Tokens) -> Iterator[Problem]:
    """Too little free disk for what is still to be made. A finished stack has used its room."""
    least, free = settings.host.minimum.disk_gb, facts.disk_free_gb
    if tokens.missing and least is not None and free is not None and free < least:
        yield Problem(
            "host.minimum.disk_gb",
            f"{least:g}",
            f"{free:g} GB are free at the engine's data root",
            "Take a larger host, or lower the minimum if this stack needs less",
        )


def tell_work(plan: PipelinePlan, tokens: Tokens) -> Iterator[str]:
    """What an `up` will do about work that is damaged, and about models and artefacts that others
    have superseded, in words."""
    for step, fault in tokens.damaged.items():
        name = step.removeprefix(f"{plan.stack}-")
        yield f"{name} is damaged: {fault}. It is made again before anything reads it"
    yield from _rollbacks(plan, tokens)
    for artefact in tokens.superseded:
        yield (
            f"{artefact.step.removeprefix(f'{plan.stack}-')}: {artefact.identity} is superseded "
            f"and goes ({artefact.bytes / GB:.2f} GB), as models[].keep says"
        )


def _rollbacks(plan: PipelinePlan, tokens: Tokens) -> Iterator[str]:
    for model in plan.models:
        step = model.ollama_model
        if step.name in tokens.kept:
            back = " again, as it was kept" if step.rollback_to is None else ", as rollback_to asks"
            yield f"{model.name}: {step.served_name} becomes model {step.serving}{back}"


def _rollback_problems(plan: PipelinePlan, tokens: Tokens) -> Iterator[Problem]:
    """Models to go back to that are not there."""
    for index, model in enumerate(plan.models):
        step = model.ollama_model
        if step.rollback_to is not None and step.name in tokens.missing:
            yield Problem(
                f"models[{index}].ollama_model.rollback_to",
                repr(step.rollback_to),
                f"no model of that identity is kept for {step.served_name}",
                "Take an identity of the output kept_models, or remove the setting; "
                "ollama_model.keep says how many stay",
            )


def _port_claims(settings: Settings, names: PhysicalNames) -> Iterator[PortClaim]:
    for section, service in settings.running_services.items():
        yield PortClaim(
            key=f"{section}.port",
            bind_address=service.bind_address,
            port=service.port,
            container=getattr(names, section),
        )
    for section, port in settings.fronted_ports.items():
        yield PortClaim(
            key=f"reverse_proxy.ports.{section}",
            bind_address=settings.reverse_proxy.bind_address,
            port=port,
            container=names.reverse_proxy,
        )


def _probe(
    step: ContainerStepPlan | DatasetRegistrationStep, mount: Mount, marker: str | PurePosixPath
) -> Probe:
    return Probe(
        step=step.name,
        source=mount.source,
        mounted_at=mount.target,
        marker=str(marker),
        identity=step.identity,
        reads=step.reads,
    )
