"""One model: its steps, from base weights to GGUF, and how it is served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from plan.container import Accelerator
from plan.evaluation import Question
from plan.gpu_memory import GpuMemoryHolder
from plan.host import HostFacts
from plan.pipeline import ModelPlan
from plan.step import ContainerStepPlan
from planning.accelerator import count_processes
from planning.base_model import locate_weights, plan_base_model
from planning.chat_parity import ChatEncoding, plan_chat_encoding
from planning.dataset_registration import DatasetPlan
from planning.evaluation import plan_evaluation
from planning.gguf_conversion import plan_base_conversion, plan_gguf_conversion
from planning.hub_model import hub_model_of, plan_hub_model
from planning.merge import plan_merge
from planning.ollama_model import plan_ollama_model
from planning.quantization import LastTraining, plan_quantizations
from planning.run_graph import Trained, judges_beside, needs_whole_model, weights_after
from planning.step import Surroundings
from planning.trained_chat import TrainedChat, trained_chat
from planning.training_run import plan_training_run
from planning.weights import Weights
from stack_configs.settings.host import HostSettings
from stack_configs.settings.images import MirrorSettings
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.trackers import TrackersSettings
from stack_configs.settings.training_runs import BASE_MODEL


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A planned model, and its weights as the API loads them: before the merge where it can."""

    plan: ModelPlan
    chat: TrainedChat
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
    trackers: TrackersSettings,
    held_out: Sequence[Question] = (),
    parallel: int = 1,
    foretold_tokens: Mapping[str, float] = MappingProxyType({}),
) -> TrainedModel:
    """The plan of one model of a stack; `server` is the container that serves it.

    `held_out` is what an evaluation asks, so many questions in `parallel`. `foretold_tokens` is
    what each run will read, by its name, as far as it is known.
    """
    by_name = {dataset.name: dataset for dataset in datasets}
    # In the order in which they are used: that in which they are declared makes no other model.
    used = dict.fromkeys(name for run in model.training_runs for name in run.datasets)
    taught = {name for run in model.served_lineage for name in run.datasets}
    steps, base = _plan_base(
        model,
        datasets=[by_name[name] for name in used],
        facts=facts,
        mirrors=mirrors,
        around=around,
    )
    chat = trained_chat(model, taught_tools=any(by_name[name].has_tools for name in taught))
    encoding = ChatEncoding(chat=chat, weights=base)

    def merge(trained: Trained, *, last: bool = False) -> Trained:
        """The same weights after one more step: with the adapter in the model."""
        merged = plan_merge(
            model.merge,
            model=model.name,
            template=model.template,
            weights=trained.weights,
            around=around,
            after=None if last else trained.run_name,
            judges=trained.judges,
            encoding=encoding if last else None,
        )
        steps.append(merged)
        return trained.merged(merged)

    merged: dict[str, Trained] = {}

    def whole_model(trained: Trained) -> Trained:
        """Merged once, for all runs that start from it or are judged by it."""
        if trained.run_name not in merged:
            merged[trained.run_name] = merge(trained)
        return merged[trained.run_name]

    left = {BASE_MODEL: Trained(weights=base)}
    for run in model.training_runs:
        start = left[model.start_of(run)]
        if needs_whole_model(run, start):
            start = whole_model(start)
        reward_model = None
        if run.reward_model is not None:
            judge = left[run.reward_model]
            if judge.weights.adapter is not None and not judges_beside(run, start, judge):
                judge = whole_model(judge)
            reward_model = judge.as_reward_model()
        planned = plan_training_run(
            run,
            model=model.name,
            template=model.template,
            weights=start.weights,
            reward_model=reward_model,
            datasets=[by_name[name] for name in run.datasets],
            eval_datasets=[by_name[name] for name in run.eval_datasets],
            around=around,
            accelerator=accelerator,
            host=host,
            processes=count_processes(host, facts),
            gpu_memory_holders=gpu_memory_holders,
            mirrors=mirrors,
            trackers=trackers,
            foretold_tokens=foretold_tokens.get(run.name),
        )
        steps.append(planned)
        left[run.name] = Trained(
            weights=weights_after(planned, run, start.weights), run=run, step=planned
        )
    last_run = model.served_lineage[-1]
    policy = left[last_run.name]
    # A later run may have had it merged already.
    policy = merged.get(policy.run_name, policy)
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
    steps += [
        gguf,
        *plan_quantizations(
            model.gguf_conversion,
            model=model.name,
            gguf=gguf,
            trained=LastTraining(
                run=last_run,
                step=policy.made_by,
                template=model.template,
                weights=final.weights,
                datasets=[by_name[name] for name in last_run.datasets],
            ),
            mirrors=mirrors,
            around=around,
        ),
    ]
    served = steps[-1]
    asked, base_gguf = model.ollama_model.evaluation, None
    if asked is not None and asked.base:
        base_gguf = plan_base_conversion(
            model.gguf_conversion, model=model.name, weights=base, around=around
        )
        steps.append(base_gguf)
    evaluation = plan_evaluation(model, held_out, chat=chat, parallel=parallel, base=base_gguf)
    plan = ModelPlan(
        name=model.name,
        steps=tuple(steps),
        ollama_model=plan_ollama_model(
            model,
            gguf=served,
            server=server,
            around=around,
            chat=chat,
            encoded_in=encoded.artefact,
            evaluation=evaluation,
            base=base_gguf,
        ),
    )
    # `llamafactory-cli api` scales positions as the export does, whatever training did, and sets
    # the rows of new tokens at random where the adapter leaves them out.
    api = policy if policy.weights.is_complete else final
    return TrainedModel(plan=plan, chat=chat, weights=api.weights, identity=api.made_by.identity)


def _plan_base(
    model: ModelSettings,
    *,
    datasets: Sequence[DatasetPlan],
    facts: HostFacts,
    mirrors: MirrorSettings,
    around: Surroundings,
) -> tuple[list[ContainerStepPlan], Weights]:
    """The step that brings the base model, if there is one, and the weights that it leaves."""
    if (generated := model.base_model.generate) is not None:
        made = plan_base_model(
            generated,
            model=model.name,
            template=model.template,
            datasets=datasets,
            around=around,
        )
        return [made], locate_weights(model.base_model, made, facts)
    weights = locate_weights(model.base_model, None, facts)
    if (hub_model := hub_model_of(model.base_model)) is None:
        return [], weights
    fetched = plan_hub_model(hub_model, facts=facts, mirrors=mirrors, around=around)
    return [fetched], replace(weights, fetched_in=str(fetched.artefact))
