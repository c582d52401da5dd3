"""Training runs: the YAML that `llamafactory-cli train` gets, and what it depends on (T2-T8)."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

import yaml

from plan import paths
from plan.container import GIB, HOST_NETWORK, NO_NETWORK, Accelerator, Container
from plan.gpu_memory import GpuMemoryHolder
from plan.identity import identity
from plan.secret import HUB_TOKEN
from plan.step import ContainerStepPlan
from planning import resumption
from planning.dataset_registration import DatasetPlan, render_dataset_info
from planning.extras import extras_of
from planning.hub_model import hub_environment, proxy_environment
from planning.step import BUNDLED_LIBGOMP, Surroundings, offline_environment, then_complete
from planning.tokenizer_completion import RECIPE as COMPLETION_RECIPE
from planning.tokenizer_completion import UPLOADS, complete_tokenizer
from planning.trackers import plan_tracking
from planning.training_arguments import arguments_that_train, deepspeed_config, render_arguments
from planning.weights import Weights
from stack_configs.settings.chat_templates import ChatTemplate
from stack_configs.settings.host import HostSettings
from stack_configs.settings.images import MirrorSettings
from stack_configs.settings.trackers import TrackersSettings
from stack_configs.settings.training_runs import TrainingRunSettings

DEEPSPEED_CONFIG = "deepspeed.json"
MEDIA = "media"


@dataclass(frozen=True, kw_only=True)
class RewardModel:
    """What stage ppo is judged by."""

    step: ContainerStepPlan
    kind: Literal["lora", "full"]
    """An adapter on the very model that is trained, or a model beside it."""


@dataclass(frozen=True, kw_only=True)
class TrainingRunPlan(ContainerStepPlan):
    """One `llamafactory-cli train`."""

    yields_adapter: bool
    """False for full and freeze tuning, whose artefact is a whole model."""


def plan_training_run(
    settings: TrainingRunSettings,
    *,
    model: str,
    template: ChatTemplate,
    weights: Weights,
    reward_model: RewardModel | None,
    datasets: Sequence[DatasetPlan],
    eval_datasets: Sequence[DatasetPlan],
    around: Surroundings,
    accelerator: Accelerator,
    host: HostSettings,
    processes: int | str,
    gpu_memory_holders: tuple[GpuMemoryHolder, ...],
    mirrors: MirrorSettings,
    trackers: TrackersSettings,
    foretold_tokens: float | None,
) -> TrainingRunPlan:
    """One run. `datasets` and `eval_datasets` are those that it names, in its order. It looks at
    the hub, by way of the `mirrors`, only where a data set is to be had there alone.

    `processes` is the number of devices that train together, `all` where nobody could count them.
    """
    arguments = render_arguments(settings, template=template, weights=weights)
    if host.cluster:
        # Every host goes on by itself afterwards, or resumes: none has the files of another.
        arguments["save_on_each_node"] = True
    # A data set may be trained on and judged by.
    read = list({each.name: each for each in (*datasets, *eval_datasets)}.values())
    offline = all(dataset.data for dataset in read)
    info = render_dataset_info(read)
    image = around.images.llamafactory
    yields_adapter = settings.trains_adapter
    deepspeed = None
    if settings.deepspeed:
        deepspeed = json.dumps(deepspeed_config(settings), indent=2) + "\n"
    mark = identity(
        "training-run",
        image.recipe,
        sorted(set(extras_of(settings))),
        arguments_that_train(arguments, evaluates_while_training=settings.evaluates_while_training),
        deepspeed,
        [dataset.content for dataset in datasets],
        *(
            [[dataset.content for dataset in eval_datasets]]
            if settings.evaluates_while_training and eval_datasets
            else []
        ),
        weights.made_of,
        reward_model.step.identity if reward_model else None,
        # Together they take larger steps. Who leads, and where, changes nothing.
        [processes, host.cluster.nodes if host.cluster else 1],
        None if yields_adapter else COMPLETION_RECIPE,
    )
    # Hosts that train together may share a directory, and each needs a folder of its own.
    name = f"{mark}-rank{host.cluster.rank}" if host.cluster else mark
    folder = paths.partial(name)
    located: dict[str, Any] = {
        **arguments,
        "dataset_dir": str(folder),
        "output_dir": str(folder),
    }
    tracking = plan_tracking(trackers, settings, model=model, mark=mark)
    if settings.report_to:
        located.setdefault("run_name", f"{model}-{settings.name}")
    if around.is_measured:
        # Else its log tells no tokens. Counting them is no part of what is made.
        located.setdefault("include_num_input_tokens_seen", True)
    files = {paths.DATASET_INFO: info}
    commands = [f"llamafactory-cli train {folder / paths.TRAINING_ARGUMENTS}"]
    if media := dict.fromkeys(dataset.media.target for dataset in read if dataset.media):
        located["media_dir"] = str(folder / MEDIA)
        commands = with_media(folder / MEDIA, media, commands)
    if deepspeed is not None:
        located["deepspeed"] = str(folder / DEEPSPEED_CONFIG)
        files[DEEPSPEED_CONFIG] = deepspeed
    if reward_model is not None:
        located["reward_model"] = str(reward_model.step.artefact)
        located["reward_model_type"] = reward_model.kind
    files[paths.TRAINING_ARGUMENTS] = yaml.safe_dump(located, sort_keys=False, allow_unicode=True)
    if tracking.environment:
        commands.insert(0, f"mkdir -p {paths.TRACKERS}")
    can_resume = resumption.can_resume(settings)
    commands.insert(0, resumption.drop_what_cannot_be_resumed(folder, can_resume=can_resume))
    if settings.arguments.get("pissa_init"):
        # The adapter fits what PiSSA left of the weights; the converted one fits the weights.
        commands.append(f"mv -f {folder}/pissa_converted/* {folder}")
    if not yields_adapter:
        commands.append(complete_tokenizer(folder, template=template, source=weights))
    return TrainingRunPlan(
        noun="training-run",
        name=around.name(model, settings.name),
        title=f"train {model}: {settings.stage}, {settings.finetuning_type}",
        identity=mark,
        reads=(
            *weights.artefacts,
            *([str(reward_model.step.artefact)] if reward_model else []),
        ),
        folder=name,
        container=Container(
            image=image.reference,
            command=then_complete(name, *commands),
            environment={
                **accelerator.environment,
                **(offline_environment() if offline else hub_environment(mirrors)),
                **_environment(settings),
                **(proxy_environment(mirrors) if tracking.needs_network else {}),
                **tracking.environment,
                **_cluster_environment(host),
            },
            mounts=around.volumes.training_mounts,
            network=_network(host, around, is_apart=offline and not tracking.needs_network),
            shm_bytes=int(host.shm_size_gb * GIB),
            host_ipc=host.ipc == "host",
            accelerator=accelerator,
            limits=around.limits,
        ),
        files=files,
        uploads=resumption.UPLOADS | ({} if yields_adapter else UPLOADS),
        progress_log="trainer_log.jsonl",
        results="all_results.json",
        foretold_tokens=foretold_tokens,
        gpu_memory_holders=gpu_memory_holders,
        secret_environment=(
            *(() if offline else (HUB_TOKEN,)),
            *tracking.secret_environment,
        ),
        preload=BUNDLED_LIBGOMP,
        deadline_seconds=int(settings.deadline_hours * 3600),
        deadline_setting="training_runs[].deadline_hours",
        yields_adapter=yields_adapter,
    )


def with_media(folder: PurePosixPath, media: Iterable[str], commands: Iterable[str]) -> list[str]:
    """The commands while the media folders of several data sets lie in one, as links.

    LLaMA-Factory knows one `media_dir` for all data sets of a run.
    """
    sources = " ".join(f"{source}/." for source in media)
    link = f"rm -rf {folder}; mkdir {folder}; cp -rs {sources} {folder}"
    return [link, *commands, f"rm -rf {folder}"]


def _environment(settings: TrainingRunSettings) -> dict[str, str]:
    environment: dict[str, str] = {}
    if settings.deepspeed or settings.fsdp:
        # LLaMA-Factory launches DeepSpeed through torchrun only, on one device as well.
        environment["FORCE_TORCHRUN"] = "1"
    if settings.fsdp:
        # As `accelerate launch` says it: the model is loaded before the trainer could.
        environment |= {"ACCELERATE_USE_FSDP": "true", "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT"}
    if settings.threads is not None:
        environment["OMP_NUM_THREADS"] = str(settings.threads)
    return environment


def _network(host: HostSettings, around: Surroundings, *, is_apart: bool) -> str:
    if host.cluster:
        return HOST_NETWORK
    return NO_NETWORK if is_apart else around.names.network


def _cluster_environment(host: HostSettings) -> dict[str, str]:
    """Variables that LLaMA-Factory hands over to torchrun."""
    cluster = host.cluster
    if cluster is None:
        return {}
    return {
        "FORCE_TORCHRUN": "1",
        "NNODES": str(cluster.nodes),
        "NODE_RANK": str(cluster.rank),
        "MASTER_ADDR": cluster.master_address,
        "MASTER_PORT": str(cluster.master_port),
        # LLaMA-Factory starts a process for each device, and counts no processor as one.
        **({"NPROC_PER_NODE": "1"} if host.hardware == "cpu" else {}),
    }
