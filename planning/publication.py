"""Publications: which model goes to which registry, and what its card says (O6)."""

import re
from collections.abc import Iterator, Mapping, Set

import yaml

from plan.host import HostFacts, HubModel
from plan.model_card import CardRun, ModelCard
from plan.problem import Problem
from plan.publication import PublicationStep, Registry
from plan.step import ContainerStepPlan
from planning.dataset_registration import DatasetPlan
from planning.hub_model import hub_model_of, pinned
from planning.model import TrainedModel
from planning.step import Surroundings
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.registry import RegistrySettings
from stack_configs.settings.root import Settings

PASSWORD = "registry_password"  # noqa: S105 - as `pulumi config` calls it
COMMIT = re.compile(r"[0-9a-f]{40}")


def plan_publication(
    settings: ModelSettings,
    registry: RegistrySettings,
    *,
    made: TrainedModel,
    datasets: Mapping[str, DatasetPlan],
    facts: HostFacts,
    around: Surroundings,
) -> PublicationStep | None:
    """The publication of one model, or None where the settings ask for none."""
    if settings.published_name is None or registry.host is None:
        return None
    ollama_model = made.plan.ollama_model
    used = dict.fromkeys(
        name for run in settings.training_runs for name in (*run.datasets, *run.eval_datasets)
    )
    base = hub_model_of(settings.base_model)
    repository, _, tag = settings.published_name.partition(":")
    card = ModelCard(
        title=settings.name,
        pulled_as=f"{registry.host}/{settings.published_name}",
        identity=ollama_model.identity,
        base_model=base.id if base else "",
        base_page=base.page if base else "",
        commit=_commit(base, facts) if base else "",
        quantization=settings.gguf_conversion.quantization,
        system=settings.ollama_model.system or made.chat.ollama.system,
        datasets=tuple(file for name in used for file in datasets[name].files),
        runs=tuple(_run(step) for step in made.plan.steps if step.noun == "training-run"),
    )
    return PublicationStep(
        name=around.name(settings.name, "publication"),
        server=ollama_model.server,
        model_step=ollama_model.name,
        served_name=ollama_model.served_name,
        serving=ollama_model.serving,
        registry=Registry(
            host=registry.host, insecure=registry.insecure, username=registry.username
        ),
        repository=repository,
        tag=tag,
        # Of a model that has its name back these settings tell nothing.
        card=card if ollama_model.rollback_to is None else None,
    )


def registry_problems(settings: Settings, configured: Set[str]) -> Iterator[Problem]:
    """A registry whose user has no password, or whose password has no user.

    `configured` are the names of the stack's secrets that are set.
    """
    username = settings.registry.username
    if all(model.published_name is None for model in settings.models):
        return
    if username is not None and PASSWORD not in configured:
        yield Problem(
            "registry.username",
            repr(username),
            "the stack has no password of that user",
            f"Run `pulumi config set --secret {PASSWORD}`, or leave the name out for a registry "
            "that asks for none",
        )
    if username is None and PASSWORD in configured:
        yield Problem(
            "registry.username",
            "",
            f"the stack has the secret {PASSWORD}, and nobody knows whose it is",
            f"Set it, or run `pulumi config rm {PASSWORD}`",
        )


def _commit(model: HubModel, facts: HostFacts) -> str:
    """That of a hub's model, where anybody knows it."""
    commit = pinned(model, facts)
    return commit if COMMIT.fullmatch(commit) else ""


def _run(step: ContainerStepPlan) -> CardRun:
    text = next(text for name, text in step.files.items() if name.endswith(".yaml"))
    return CardRun(
        title=step.title,
        arguments=yaml.safe_load(text),
        figures_file=None if step.results is None else str(step.artefact / step.results),
    )
