"""Rules between sections: each section is valid by itself, and yet they do not fit together."""

from collections.abc import Iterator, Mapping, Sequence

from plan.problem import Problem
from stack_configs.settings.argument_rules import find_argument_problems
from stack_configs.settings.chat_templates import TOOLS_REFUSED, TRAINING_TEMPLATES
from stack_configs.settings.dataset_use import find_misuse
from stack_configs.settings.host import Hardware
from stack_configs.settings.publications import find_publication_problems
from stack_configs.settings.root import Settings
from stack_configs.settings.training_runs import TrainingRunSettings

RANKING_STAGES = ("rm", "dpo")
PROMPT_STAGES = ("pt", "ppo")
"""Stages that read no answers."""


HARDWARE_OF: Mapping[str, tuple[Hardware, ...]] = {
    "quantization_bit": ("cpu", "cuda", "rocm"),
    "deepspeed": ("cuda", "rocm", "npu"),
    "fsdp": ("cuda", "rocm", "npu"),
    "use_unsloth": ("cuda", "rocm"),
}
"""Where the released bitsandbytes, DeepSpeed and Unsloth compute, and PyTorch's FSDP, by the run's
setting."""


def find_inconsistencies(settings: Settings) -> list[Problem]:
    """Every contradiction between two sections; empty when there is none."""
    return [
        *_twice("datasets", "name", [dataset.name for dataset in settings.datasets]),
        *_twice("models", "name", [model.name for model in settings.models]),
        *_served_twice(settings),
        *find_publication_problems(settings),
        *_same_ports(settings),
        *_api_model(settings),
        *_devices_of_ascend(settings),
        *_kept_where_other_hosts_write(settings),
        *find_misuse(settings),
        *_unserved_tools(settings),
        *(
            problem
            for model_index, model in enumerate(settings.models)
            for run_index, run in enumerate(model.training_runs)
            for problem in _run_problems(
                settings, run, f"models[{model_index}].training_runs[{run_index}]"
            )
        ),
    ]


def _twice(section: str, key: str, names: Sequence[str]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        # A directory of the host in a volume's place may not tell them apart.
        earlier = first.setdefault(name.casefold(), index)
        if earlier != index:
            but = "" if names[earlier] == name else ", but for upper and lower case"
            yield Problem(
                f"{section}[{index}].{key}",
                repr(name),
                f"{section}[{earlier}] has that name already{but}",
                "Give each a name of its own",
            )


def _unserved_tools(settings: Settings) -> Iterator[Problem]:
    """Tools in the data of a model whose calls Ollama could not read back."""
    with_tools = {dataset.name for dataset in settings.datasets if dataset.columns.tools}
    for index, model in enumerate(settings.models):
        chosen = [run.arguments.get("tool_format") for run in model.served_lineage]
        tool_format = next((name for name in reversed(chosen) if name), None)
        template = TRAINING_TEMPLATES[model.template]
        refused = TOOLS_REFUSED.get(str(tool_format or template.call_format or ""))
        used = {name for run in model.served_lineage for name in run.datasets} & with_tools
        if refused and used:
            yield Problem(
                f"models[{index}].template",
                repr(model.template),
                f"data set {min(used)} has tools, and {refused}",
                "Take a template whose tools are served (docs/support_matrix.md), set "
                "arguments.tool_format of the run to default, or leave out columns.tools",
            )


def _kept_where_other_hosts_write(settings: Settings) -> Iterator[Problem]:
    """A host knows what it has superseded, and not what another one goes on with."""
    if settings.host.cluster is None or settings.volumes.output.host_path is None:
        return
    for index, model in enumerate(settings.models):
        if model.keep is not None:
            yield Problem(
                f"models[{index}].keep",
                str(model.keep),
                "with host.cluster and volumes.output.host_path: the directory may be that of the "
                "other hosts too, which may need what this one has superseded",
                "Leave it out, and remove by hand what no host needs",
            )


def _served_twice(settings: Settings) -> Iterator[Problem]:
    """Two names that differ and yet are one to Ollama: `guide` and `library/guide:Latest`."""
    first: dict[str, int] = {}
    for index, model in enumerate(settings.models):
        name = model.served_name.casefold().removeprefix("library/")
        earlier = first.setdefault(name, index)
        if earlier != index and model.name != settings.models[earlier].name:
            yield Problem(
                f"models[{index}].ollama_model.name",
                repr(model.served_name),
                f"models[{earlier}] is served under that name already",
                "Give each a name of its own",
            )


def _same_ports(settings: Settings) -> Iterator[Problem]:
    running, fronted = settings.running_services, settings.fronted_ports
    ports = [(f"{section}.port", service.port) for section, service in running.items()]
    ports += [(f"reverse_proxy.ports.{section}", port) for section, port in fronted.items()]
    taken: dict[int, str] = {}
    for key, port in ports:
        if (other := taken.setdefault(port, key)) != key:
            yield Problem(
                key, str(port), f"{other} is the same", "Give each service a port of its own"
            )


def _api_model(settings: Settings) -> Iterator[Problem]:
    chosen, names = settings.api.model, [model.name for model in settings.models]
    if not settings.api.enabled or chosen in names:
        return
    if chosen is not None:
        yield Problem(
            "api.model",
            repr(chosen),
            "no model of that name is declared",
            f"Use one of: {', '.join(names)}",
        )
    elif len(names) > 1:
        yield Problem(
            "api.model",
            "",
            "it is required where there are several models",
            f"Use one of: {', '.join(names)}",
        )


def _devices_of_ascend(settings: Settings) -> Iterator[Problem]:
    """A container gets each Ascend device by a node of its own: there is none for all of them."""
    if settings.host.hardware == "npu" and settings.host.gpu.count == "all":
        yield Problem(
            "host.gpu.count",
            "'all'",
            "with host.hardware npu it must be a number: each device is handed over by its node, "
            "/dev/davinci0 and so on",
            "Set it to the number of devices that npu-smi info lists",
        )


def _run_problems(settings: Settings, run: TrainingRunSettings, key: str) -> Iterator[Problem]:
    yield from _data_problems(settings, run, run.datasets, f"{key}.datasets")
    yield from _data_problems(settings, run, run.eval_datasets, f"{key}.eval_datasets")
    if "mlflow" in run.report_to and settings.trackers.mlflow_url is None:
        yield Problem(
            f"{key}.report_to",
            "'mlflow'",
            "nobody knows where its server is",
            "Set trackers.mlflow_url, or leave it out",
        )
    yield from _unsupported(settings, run, key)
    yield from find_argument_problems(settings, run, key)


def _data_problems(
    settings: Settings, run: TrainingRunSettings, names: Sequence[str], key: str
) -> Iterator[Problem]:
    """Data sets that a run cannot learn from, or be judged by."""
    datasets = {dataset.name: dataset for dataset in settings.datasets}
    ranked = run.stage in RANKING_STAGES
    for index, name in enumerate(names):
        if name not in datasets:
            yield Problem(
                f"{key}[{index}]",
                repr(name),
                "no data set of that name is declared",
                f"Declare it under datasets, or use one of: {', '.join(datasets)}",
            )
        elif datasets[name].ranking != ranked:
            yield Problem(
                f"{key}[{index}]",
                repr(name),
                f"stage {run.stage} {'needs' if ranked else 'does not take'} ranking data "
                "(rows with chosen and rejected)",
                "Use another data set, or correct its `ranking`",
            )
        elif (datasets[name].columns.kto_tag is not None) != (run.stage == "kto"):
            yield Problem(
                f"{key}[{index}]",
                repr(name),
                f"stage {run.stage} {'needs' if run.stage == 'kto' else 'does not take'} answers "
                "that are marked true or false",
                "Use another data set, or correct its `columns.kto_tag`",
            )
        elif not datasets[name].has_answers and run.stage not in PROMPT_STAGES:
            yield Problem(
                f"{key}[{index}]",
                repr(name),
                f"stage {run.stage} needs answers, and no row has text in column 'output'",
                "Add the column, or name the one that holds the answers in `columns.response`",
            )


def _unsupported(settings: Settings, run: TrainingRunSettings, key: str) -> Iterator[Problem]:
    """What a run asks for and the library behind it cannot do on the host's hardware."""
    hardware, factory = settings.host.hardware, settings.images.llamafactory
    # Somebody's own image may hold a build for Ascend, as LLaMA-Factory's README describes it.
    of_our_making = not (factory.image or factory.base_image or factory.dockerfile)
    for setting, known in HARDWARE_OF.items():
        value = getattr(run, setting)
        if value and hardware not in known and (hardware == "cpu" or of_our_making):
            yield Problem(
                f"{key}.{setting}",
                repr(value),
                f"it needs one of {', '.join(known)}, and host.hardware is {hardware}",
                "Remove it, or choose another host.hardware",
            )
