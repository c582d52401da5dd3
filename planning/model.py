"""One model: its stages, from base weights to GGUF, and how it is served."""

from collections.abc import Iterator
from dataclasses import dataclass

from planning.base_model import locate_weights, plan_base_model
from planning.container import Accelerator
from planning.dataset_registration import DatasetRegistrationPlan
from planning.gguf_conversion import GgufConversionPlan, plan_gguf_conversion
from planning.images import ImagesPlan
from planning.merge import plan_merge
from planning.ollama_model import OllamaModelPlan, plan_ollama_model
from planning.stage import StagePlan
from planning.training_arguments import Weights
from planning.training_run import TrainingRunPlan, plan_training_run
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.root import Settings


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
    weights: Weights
    """The trained model before its merge."""

    @property
    def stages(self) -> Iterator[StagePlan]:
        """Every stage, in the order in which they build on each other."""
        yield from (self.base_model,) if self.base_model else ()
        yield from self.training_runs
        yield from (self.merge,) if self.merge else ()
        yield self.gguf_conversion


def plan_model(
    model: ModelSettings,
    settings: Settings,
    stack: str,
    registration: DatasetRegistrationPlan,
    images: ImagesPlan,
    accelerator: Accelerator,
) -> ModelPlan:
    """The plan of one model of a stack."""
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
            host=settings.host,
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
        weights=weights,
    )


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
