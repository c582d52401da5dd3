"""The graph of a model's runs: what a run leaves, and whether the next can go on with it (T3)."""

from dataclasses import dataclass, replace
from typing import Self

from plan.step import ContainerStepPlan
from planning.training_arguments import adapter_shape
from planning.training_run import RewardModel, TrainingRunPlan
from planning.weights import Weights, adapted, whole
from stack_configs.settings.training_runs import BASE_MODEL, TrainingRunSettings

STAGES_ON_A_WHOLE_MODEL = ("rm", "ppo", "dpo", "kto")
"""Stages that never go on with an earlier adapter.

The reference of a LoRA run in stage ppo, dpo or kto is its model without the adapter. It must be
the policy that the run starts from, so that policy is merged and the run gets an adapter of its
own. LLaMA-Factory's `ref_model` would do as well, and would hold a second model in the GPU's
memory; a merge takes space in the output volume, which is cheap. A reward model starts where the
policy does: as an adapter it judges nothing but the model that it was trained on.
"""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Weights, the run that trained them last, and the step that left them."""

    weights: Weights
    run: TrainingRunSettings | None = None
    step: ContainerStepPlan | None = None

    @property
    def run_name(self) -> str:
        """Of the run, or of the base model where there was none."""
        return self.run.name if self.run else BASE_MODEL

    @property
    def judges(self) -> bool:
        """Whether they are a reward model's."""
        return self.run is not None and self.run.stage == "rm"

    @property
    def made_by(self) -> ContainerStepPlan:
        """The step that left the weights."""
        if self.step is None:
            raise AssertionError("the settings allow no model without a policy run")
        return self.step

    def merged(self, merge: ContainerStepPlan) -> Self:
        """The same after their merge."""
        weights = whole(self.weights, model=str(merge.artefact), mark=merge.identity)
        return replace(self, weights=weights, step=merge)

    def as_reward_model(self) -> RewardModel:
        """The same as what stage ppo is judged by."""
        return RewardModel(step=self.made_by, kind="lora" if self.weights.adapter else "full")


def needs_whole_model(run: TrainingRunSettings, start: Trained) -> bool:
    """Whether the adapter so far must be merged before this run: it cannot just be trained on."""
    if start.weights.adapter is None or start.run is None:
        return False
    return (
        run.stage in STAGES_ON_A_WHOLE_MODEL
        or run.finetuning_type != "lora"
        or not start.weights.is_complete
        # LLaMA-Factory goes on with the adapter as it is, and says nothing of another shape.
        or adapter_shape(run) != adapter_shape(start.run)
        # It would merge the adapter in memory, where no later step finds it.
        or bool(run.arguments.get("create_new_adapter"))
        # PiSSA takes whole weights apart, and its adapter has twice the rank that was asked for.
        or any(each.arguments.get("pissa_init") for each in (run, start.run))
    )


def judges_beside(run: TrainingRunSettings, start: Trained, judge: Trained) -> bool:
    """Whether the judge's adapter can be loaded beside the policy's, and be switched to."""
    return (
        run.finetuning_type == "lora"
        and judge.run is not None
        and judge.run.finetuning_type == "lora"
        # It loads no adapter beside its own.
        and not run.use_unsloth
        and judge.weights.model == start.weights.model
        and start.weights.adapter is None
        and judge.weights.is_complete
    )


def weights_after(plan: TrainingRunPlan, settings: TrainingRunSettings, before: Weights) -> Weights:
    """What the next step starts from: the same model and a new adapter, or a new model."""
    artefact, mark = str(plan.artefact), plan.identity
    if plan.yields_adapter:
        return adapted(before, settings, adapter=artefact, mark=mark)
    return whole(before, settings, model=artefact, mark=mark)
