"""One model: its steps, from base weights to GGUF, and how it is served."""

from collections.abc import Sequence
from dataclasses import dataclass

from plan.container import Accelerator
from plan.gpu_memory import GpuMemoryHolder
from plan.host import HostFacts
from plan.pipeline import ModelPlan
from plan.step import ContainerStepPlan
from planning.base_model import locate_weights, plan_base_model
from planning.dataset_registration import DatasetPlan
from planning.gguf_conversion import plan_gguf_conversion
from planning.merge import plan_merge
from planning.ollama_model import plan_ollama_model
from planning.step import Surroundings
from planning.training_arguments import Weights
from planning.training_run import TrainingRunPlan, plan_training_run
from stack_configs.settings.host import HostSettings
from stack_configs.settings.models import ModelSettings


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A planned model, and its weights before the merge."""

    plan: ModelPlan
    weights: Weights
    identity: str
    """Of the step that made them."""


def plan_model(
    model: ModelSettings,
    *,
    host: HostSettings,
    facts: HostFacts,
    around: Surroundings,
    datasets: Sequence[DatasetPlan],
    accelerator: Accelerator,
    server: str,
    gpu_memory_holders: tuple[GpuMemoryHolder, ...],
) -> TrainedModel:
    """The plan of one model of a stack; `server` is the container that serves it."""
    offline = model.base_model.hub is None
    by_name = {dataset.name: dataset for dataset in datasets}
    # In the order in which they are used: that in which they are declared makes no other model.
    used = dict.fromkeys(name for run in model.training_runs for name in run.datasets)
    base_model = None
    if model.base_model.generate is not None:
        base_model = plan_base_model(
            model.base_model.generate,
            model=model.name,
            datasets=[by_name[name] for name in used],
            around=around,
        )
    weights = locate_weights(model.base_model, base_model, facts)
    runs: dict[str, TrainingRunPlan] = {}
    last: TrainingRunPlan | None = None
    for run in model.training_runs:
        runs[run.name] = planned = plan_training_run(
            run,
            model=model.name,
            template=model.template,
            weights=weights,
            reward_model=runs[run.reward_model] if run.reward_model else None,
            datasets=[by_name[name] for name in run.datasets],
            around=around,
            accelerator=accelerator,
            host=host,
            processes=count_processes(host, facts),
            gpu_memory_holders=gpu_memory_holders,
            offline=offline,
        )
        # A reward model judges; the next run goes on from the policy, not from the judge.
        if run.stage != "rm":
            last, weights = planned, _weights_after(planned, weights)
    if last is None:
        raise AssertionError("the settings allow no model without a policy run")
    merge = None
    if weights.adapter is not None:
        merge = plan_merge(
            model.merge,
            model=model.name,
            template=model.template,
            weights=weights,
            around=around,
            offline=offline,
        )
    gguf = plan_gguf_conversion(
        model.gguf_conversion, model=model.name, source=merge or last, around=around
    )
    steps: tuple[ContainerStepPlan | None, ...] = (base_model, *runs.values(), merge, gguf)
    plan = ModelPlan(
        name=model.name,
        steps=tuple(step for step in steps if step is not None),
        ollama_model=plan_ollama_model(model, gguf=gguf, server=server, around=around),
    )
    return TrainedModel(plan=plan, weights=weights, identity=last.identity)


def count_processes(host: HostSettings, facts: HostFacts) -> int | str:
    """Devices that train together on one host: more of them take larger steps."""
    if host.hardware == "cpu":
        return 1
    if host.gpu.count != "all":
        return host.gpu.count
    return len(facts.gpus) if facts.gpus else "all"


def _weights_after(run: TrainingRunPlan, before: Weights) -> Weights:
    """What the next step starts from: the same model and a new adapter, or a new model."""
    if run.yields_adapter:
        return Weights(
            model=before.model,
            revision=before.revision,
            adapter=str(run.artefact),
            made_of=(run.identity,),
        )
    return Weights(model=str(run.artefact), made_of=(run.identity,))
