"""One model: its steps, from base weights to GGUF, and how it is served."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from plan.container import Accelerator
from plan.gpu_memory import GpuMemoryHolder
from plan.host import HostFacts
from plan.pipeline import ModelPlan
from plan.step import ContainerStepPlan
from planning.base_model import locate_weights, plan_base_model
from planning.chat_parity import ChatEncoding, plan_chat_encoding
from planning.dataset_registration import DatasetPlan
from planning.gguf_conversion import plan_gguf_conversion
from planning.hub_model import hub_model_of, plan_hub_model
from planning.merge import plan_merge
from planning.ollama_model import plan_ollama_model
from planning.step import Surroundings
from planning.trained_chat import trained_chat
from planning.training_arguments import adapter_shape
from planning.training_run import RewardModel, TrainingRunPlan, plan_training_run
from planning.weights import Weights, adapted, whole
from stack_configs.settings.host import HostSettings
from stack_configs.settings.images import MirrorSettings
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.training_runs import TrainingRunSettings

STAGES_ON_A_WHOLE_MODEL = ("rm", "ppo", "dpo", "kto")
"""Stages that never go on with an earlier adapter.

The reference of a LoRA run in stage ppo, dpo or kto is its model without the adapter. It must be
the policy that the run starts from, so that policy is merged and the run gets an adapter of its
own. LLaMA-Factory's `ref_model` would do as well, and would hold a second model in the GPU's
memory; a merge takes space in the output volume, which is cheap. A reward model starts where the
policy does: as an adapter it judges nothing but the model that it was trained on.
"""


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A planned model, and its weights as the API loads them: before the merge where it can."""

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
    mirrors: MirrorSettings,
) -> TrainedModel:
    """The plan of one model of a stack; `server` is the container that serves it."""
    by_name = {dataset.name: dataset for dataset in datasets}
    # In the order in which they are used: that in which they are declared makes no other model.
    used = dict.fromkeys(name for run in model.training_runs for name in run.datasets)
    steps: list[ContainerStepPlan] = []
    base_model = None
    if model.base_model.generate is not None:
        base_model = plan_base_model(
            model.base_model.generate,
            model=model.name,
            template=model.template,
            datasets=[by_name[name] for name in used],
            around=around,
        )
        steps.append(base_model)
    elif (hub_model := hub_model_of(model.base_model)) is not None:
        steps.append(plan_hub_model(hub_model, facts=facts, mirrors=mirrors, around=around))

    base = locate_weights(model.base_model, base_model, facts)
    chat = trained_chat(model, taught_tools=any(by_name[name].has_tools for name in used))
    encoding = ChatEncoding(chat=chat, weights=base)

    def merge(trained: _Trained, *, last: bool = False, judges: bool = False) -> _Trained:
        """The same weights after one more step: with the adapter in the model."""
        merged = plan_merge(
            model.merge,
            model=model.name,
            template=model.template,
            weights=trained.weights,
            around=around,
            after=None if last else trained.run_name,
            judges=judges,
            encoding=encoding if last else None,
        )
        steps.append(merged)
        return trained.merged(merged)

    judges: dict[str, _Trained] = {}
    policy = _Trained(weights=base)
    for run in model.training_runs:
        if _needs_whole_model(run, policy):
            policy = merge(policy)
        reward_model = None
        if run.reward_model is not None:
            judge = judges[run.reward_model]
            if judge.weights.adapter is not None and not _judges_beside(run, policy, judge):
                judge = judges[run.reward_model] = merge(judge, judges=True)
            reward_model = judge.as_reward_model()
        planned = plan_training_run(
            run,
            model=model.name,
            template=model.template,
            weights=policy.weights,
            reward_model=reward_model,
            datasets=[by_name[name] for name in run.datasets],
            eval_datasets=[by_name[name] for name in run.eval_datasets],
            around=around,
            accelerator=accelerator,
            host=host,
            processes=count_processes(host, facts),
            gpu_memory_holders=gpu_memory_holders,
            mirrors=mirrors,
        )
        steps.append(planned)
        trained = _Trained(
            weights=_weights_after(planned, run, policy.weights), run=run, step=planned
        )
        # A reward model judges; the next run goes on from the policy, not from the judge.
        if run.stage == "rm":
            judges[run.name] = trained
        else:
            policy = trained
    if policy.weights.adapter is not None:
        final = merge(policy, last=True)
        encoded = final.made_by
    else:
        final = policy
        encoded = plan_chat_encoding(encoding, model=model.name, around=around)
        steps.append(encoded)
    gguf = plan_gguf_conversion(
        model.gguf_conversion, model=model.name, source=final.made_by, around=around
    )
    plan = ModelPlan(
        name=model.name,
        steps=(*steps, gguf),
        ollama_model=plan_ollama_model(
            model,
            gguf=gguf,
            server=server,
            around=around,
            chat=chat,
            encoded_in=encoded.artefact,
        ),
    )
    # `llamafactory-cli api` scales positions as the export does, whatever training did, and sets
    # the rows of new tokens at random where the adapter leaves them out.
    api = policy if policy.weights.is_complete else final
    return TrainedModel(plan=plan, weights=api.weights, identity=api.made_by.identity)


def count_processes(host: HostSettings, facts: HostFacts) -> int | str:
    """Devices that train together on one host: more of them take larger steps."""
    if host.hardware == "cpu":
        return 1
    if host.gpu.count != "all":
        return host.gpu.count
    return len(facts.gpus) if facts.gpus else "all"


@dataclass(frozen=True, kw_only=True)
class _Trained:
    """Weights, the run that trained them last, and the step that left them."""

    weights: Weights
    run: TrainingRunSettings | None = None
    step: ContainerStepPlan | None = None

    @property
    def run_name(self) -> str | None:
        return self.run.name if self.run else None

    @property
    def made_by(self) -> ContainerStepPlan:
        if self.step is None:
            raise AssertionError("the settings allow no model without a policy run")
        return self.step

    def merged(self, merge: ContainerStepPlan) -> Self:
        weights = whole(self.weights, model=str(merge.artefact), mark=merge.identity)
        return replace(self, weights=weights, step=merge)

    def as_reward_model(self) -> RewardModel:
        return RewardModel(step=self.made_by, kind="lora" if self.weights.adapter else "full")


def _needs_whole_model(run: TrainingRunSettings, policy: _Trained) -> bool:
    """Whether the adapter so far must be merged before this run: it cannot just be trained on."""
    if policy.weights.adapter is None or policy.run is None:
        return False
    return (
        run.stage in STAGES_ON_A_WHOLE_MODEL
        or run.finetuning_type != "lora"
        or not policy.weights.is_complete
        # LLaMA-Factory goes on with the adapter as it is, and says nothing of another shape.
        or adapter_shape(run) != adapter_shape(policy.run)
        # It would merge the adapter in memory, where no later step finds it.
        or bool(run.arguments.get("create_new_adapter"))
        # PiSSA takes whole weights apart, and its adapter has twice the rank that was asked for.
        or any(each.arguments.get("pissa_init") for each in (run, policy.run))
    )


def _judges_beside(run: TrainingRunSettings, policy: _Trained, judge: _Trained) -> bool:
    """Whether the judge's adapter can be loaded beside the policy's, and be switched to."""
    return (
        run.finetuning_type == "lora"
        and judge.run is not None
        and judge.run.finetuning_type == "lora"
        # It loads no adapter beside its own.
        and not run.use_unsloth
        and judge.weights.model == policy.weights.model
        and policy.weights.adapter is None
        and judge.weights.is_complete
    )


def _weights_after(
    plan: TrainingRunPlan, settings: TrainingRunSettings, before: Weights
) -> Weights:
    """What the next step starts from: the same model and a new adapter, or a new model."""
    artefact, mark = str(plan.artefact), plan.identity
    if plan.yields_adapter:
        return adapted(before, settings, adapter=artefact, mark=mark)
    return whole(before, settings, model=artefact, mark=mark)
