"""Base models of the hub: fetched by a step of its own, so that no accelerator waits (T7, F8)."""

import json
from collections.abc import Iterator

from plan import paths
from plan.container import Container
from plan.host import HostFacts, HubModel, HubModelFacts, HubName, Tokens
from plan.identity import identity
from plan.model_files import DUPLICATES, NEVER_LOADED, SAFETENSORS
from plan.pipeline import PipelinePlan
from plan.problem import Problem
from plan.secret import HUB_TOKENS, VARIABLES
from plan.step import ContainerStepPlan
from planning.step import IN_CONTAINER, Surroundings, then_complete
from planning.weights import Weights
from stack_configs.settings.base_model import BaseModelSettings
from stack_configs.settings.images import MirrorSettings
from stack_configs.settings.root import Settings

PROGRAM = "fetch_model.py"
UPLOADS = {
    name: f"{IN_CONTAINER}/{name}"
    for name in (PROGRAM, "hub_file.py", "hub_patience.py", "hugging_face.py", "model_scope.py")
}
PARAMETERS = "parameters.json"
PATIENCE_SECONDS = 600
"""Without anything new from the hub, whose rate limits are counted over five minutes."""

RECIPE = 1
"""Raise it when other files are fetched of the same commit: an edit of the program alone fetches
nothing again."""

UNMERGEABLE = ("gptq", "awq", "aqlm", "bitsandbytes")
"""Quantizations that LLaMA-Factory trains adapters on, and merges none into: `export_model` ends
with "Cannot merge adapters to a quantized model". Others it undoes while it loads the model."""

REFUSALS = {
    "gated": (
        "the hub gives it to those only who have accepted its terms",
        "Accept the terms on the model's page, then hand over a token of that account: "
        "`pulumi config set --secret {secret}`",
    ),
    "unknown": (
        "the hub knows no such model, or it is a private one",
        "Correct the name; for a private model `pulumi config set --secret {secret}`",
    ),
    "no_revision": (
        "the model has no such branch, tag or commit",
        "Correct models[].base_model.revision",
    ),
}
"""Why the hub refuses a model: the rule, and the way out."""


def hub_model_of(base: BaseModelSettings) -> HubModel | None:
    """The hub's model that training starts from; None where it comes from elsewhere."""
    if base.modelscope is not None:
        # LLaMA-Factory reads it so too: the branch that every model has is called otherwise there.
        revision = "master" if base.revision == "main" else base.revision
        return HubModel(id=base.modelscope, revision=revision, hub="modelscope")
    return None if base.hub is None else HubModel(id=base.hub, revision=base.revision)


def hub_addresses(mirrors: MirrorSettings) -> dict[HubName, str]:
    """Where the settings look for hubs that have moved."""
    named: dict[HubName, str | None] = {
        "huggingface": mirrors.model_hub,
        "modelscope": mirrors.modelscope,
    }
    return {hub: address for hub, address in named.items() if address is not None}


def hub_weights(model: HubModel, facts: HostFacts) -> Weights:
    """What the step that fetches a model leaves."""
    commit = pinned(model, facts)
    if model.hub == "modelscope":
        # Loaders know one hub by its ids; what is of another one is a folder to them.
        folder = model.folder / "snapshots" / commit
        return Weights(model=str(folder), made_of=(model.hub, model.id, commit))
    return Weights(model=model.id, revision=commit, made_of=(model.id, commit))


def plan_hub_model(
    model: HubModel, *, facts: HostFacts, mirrors: MirrorSettings, around: Surroundings
) -> ContainerStepPlan:
    """The step that fetches a model, for all that start from it.

    Files and artefact lie in the same volume: one that is lost takes the other along.
    """
    commit = pinned(model, facts)
    is_modelscope = model.hub == "modelscope"
    hub = (model.hub,) if is_modelscope else ()
    mark = identity("base-model", *hub, model.id, commit, RECIPE)
    folder = paths.partial(mark, paths.HF_CACHE)
    # As the cache names its folders: no id has two dashes in a row.
    usual = "master" if is_modelscope else "main"
    name = "--".join((*hub, model.id, *([] if model.revision == usual else [model.revision])))
    parameters = {
        "hub": model.hub,
        "cache": str(paths.MODELSCOPE_CACHE),
        "repo": model.id,
        "revision": model.revision,
        "asked": commit,
        "never": NEVER_LOADED,
        "weights": SAFETENSORS,
        "duplicates": DUPLICATES,
        "patience_seconds": PATIENCE_SECONDS,
    }
    return ContainerStepPlan(
        noun="base-model",
        name=around.name("base-model", name.replace("/", "--")),
        title=f"fetch {model.id}",
        identity=mark,
        volume=str(paths.HF_CACHE),
        container=Container(
            image=around.images.llamafactory.reference,
            command=then_complete(
                mark,
                f"python {folder / PROGRAM} {folder / PARAMETERS} {folder / paths.FETCHED} "
                f"{folder / paths.FETCHED_SUMS}",
                volume=paths.HF_CACHE,
                known_sums=paths.FETCHED_SUMS,
            ),
            environment=hub_environment(mirrors),
            mounts=(around.volumes.hf_cache.mount(),),
            network=around.names.network,
            limits=around.limits,
            read_only_root=around.read_only_root,
        ),
        files={PARAMETERS: json.dumps(parameters, indent=2, sort_keys=True) + "\n"},
        uploads=UPLOADS,
        secret_environment=(VARIABLES[HUB_TOKENS[model.hub]],),
    )


def pinned(model: HubModel, facts: HostFacts) -> str:
    """A branch moves; what is trained is the commit that it points to, where anybody knows it."""
    return facts.hub_commits.get(model.key, model.revision)


def hub_environment(mirrors: MirrorSettings) -> dict[str, str]:
    """How a container reaches the hubs."""
    variables: dict[HubName, str] = {
        "huggingface": "HF_ENDPOINT",
        "modelscope": "MODELSCOPE_ENDPOINT",
    }
    endpoints = {variables[hub]: address for hub, address in hub_addresses(mirrors).items()}
    return {**endpoints, **proxy_environment(mirrors)}


def proxy_environment(mirrors: MirrorSettings) -> dict[str, str]:
    """How a container gets out of the host's network."""
    variables = {
        "HTTP_PROXY": mirrors.proxy,
        "HTTPS_PROXY": mirrors.proxy,
        "NO_PROXY": ",".join(mirrors.no_proxy),
    }
    return {name: value for name, value in variables.items() if value}


def hub_model_problems(
    settings: Settings, plan: PipelinePlan, facts: HostFacts, tokens: Tokens
) -> Iterator[Problem]:
    """What the hub's own word says against the base models. Nothing where it is silent."""
    for index, wanted, told in _told(settings, facts):
        key, base = f"models[{index}].base_model", settings.models[index].base_model
        source = "modelscope" if wanted.hub == "modelscope" else "hub"
        steps = plan.models[index].steps
        if told.refusal is not None and steps[0].name in tokens.missing:
            rule, way_out = REFUSALS[told.refusal]
            field = "revision" if told.refusal == "no_revision" else source
            way_out = way_out.format(secret=HUB_TOKENS[wanted.hub])
            yield Problem(f"{key}.{field}", repr(getattr(base, field)), rule, way_out)
        if told.quantization in UNMERGEABLE and any(step.noun == "merge" for step in steps):
            yield Problem(
                f"{key}.{source}",
                repr(wanted.id),
                f"its weights are quantized ({told.quantization}), and no adapter can be merged "
                "into such weights",
                "Name the model that they were made from; training_runs[].quantization_bit: 4 "
                "quantizes it while it is trained (QLoRA)",
            )
    yield from _room_problems(settings, plan, facts, tokens)


def downloads(
    settings: Settings, plan: PipelinePlan, facts: HostFacts, tokens: Tokens
) -> dict[str, HubModelFacts]:
    """What is still to be fetched and how large it is, by model of the hub."""
    return {
        wanted.id: told
        for index, wanted, told in _told(settings, facts)
        if plan.models[index].steps[0].name in tokens.missing and told.size_gb is not None
    }


def _room_problems(
    settings: Settings, plan: PipelinePlan, facts: HostFacts, tokens: Tokens
) -> Iterator[Problem]:
    """Certain only where nothing was fetched yet, into a volume at the engine's data root."""
    wanted = downloads(settings, plan, facts, tokens)
    needed = sum(told.size_gb or 0 for told in wanted.values() if not told.is_begun)
    free, in_volume = facts.disk_free_gb, plan.volumes.hf_cache.host_path is None
    if in_volume and free is not None and needed > free:
        yield Problem(
            "models[].base_model",
            ", ".join(wanted),
            f"{needed:.1f} GB are to be fetched, and {free:.1f} GB are free at the engine's data "
            "root",
            "Make room there, or name a directory of a larger disk in volumes.hf_cache.host_path",
        )


def _told(settings: Settings, facts: HostFacts) -> Iterator[tuple[int, HubModel, HubModelFacts]]:
    for index, model in enumerate(settings.models):
        wanted = hub_model_of(model.base_model)
        if wanted is not None and (told := facts.hub_models.get(wanted.key)) is not None:
            yield index, wanted, told
