"""What is wrong with a run's arguments: every problem at once, each under the key it stands at."""

from collections.abc import Iterator, Mapping
from typing import Any

from plan.problem import Problem
from stack_configs.settings.data_clashes import DATA_CLASHES
from stack_configs.settings.method_clashes import METHOD_CLASHES
from stack_configs.settings.release_arguments import RELEASE, RELEASE_ARGUMENTS, nearest
from stack_configs.settings.root import Settings
from stack_configs.settings.rule import SECRET_KEY
from stack_configs.settings.training_runs import TrainingRunSettings

CLASHES = METHOD_CLASHES + DATA_CLASHES

NOT_IN_THE_IMAGE: Mapping[str, str] = {
    "mixture_of_depths": "MoD",
    "use_kt": "KTransformers",
    "use_hyper_parallel": "HyperParallel",
}
"""Arguments whose packages LLaMA-Factory's own images do not have either, and what they are for."""

SETTING_OF = {"dataset": "datasets", "eval_dataset": "eval_datasets"}
"""Settings of a run that the release calls otherwise."""


def find_argument_problems(
    settings: Settings, run: TrainingRunSettings, key: str
) -> Iterator[Problem]:
    """Every problem of one run; `key` is where it stands.

    Names and values of another release than the table's, or of an image of one's own, nobody
    knows here: these are for LLaMA-Factory to judge.
    """
    for fault in run.spelling.faults:
        yield Problem(f"{key}.{fault.key}", repr(fault.value), fault.rule, fault.way_out)
    factory = settings.images.llamafactory
    if factory.image is not None or factory.version != RELEASE:
        return
    broken = [
        problem
        for name, value in run.arguments.items()
        if (problem := _broken(name, value, key_of(run, name, key)))
    ]
    yield from broken
    if broken:
        return
    told = told_to_the_release(run)
    several = _several_processes(settings, run)
    for clash in CLASHES:
        if (clash.several_processes and not several) or not clash.when(told):
            continue
        yield Problem(
            key_of(run, clash.argument, key),
            repr(told[clash.argument]),
            clash.rule,
            clash.way_out,
        )
    yield from _unable(settings, run, key)


def key_of(run: TrainingRunSettings, name: str, key: str) -> str:
    """Where an argument stands in the settings file."""
    name = SETTING_OF.get(name, name)
    if name in type(run).model_fields or name in run.spelling.beside or name not in run.arguments:
        return f"{key}.{name}"
    return f"{key}.arguments.{name}"


def told_to_the_release(run: TrainingRunSettings) -> dict[str, Any]:
    """Every argument by its name: what the run says, else the release's default."""
    own = {
        name: value
        for name in type(run).model_fields
        if name in RELEASE_ARGUMENTS and (value := getattr(run, name)) is not None
    }
    return {
        **{name: argument.default for name, argument in RELEASE_ARGUMENTS.items()},
        **own,
        "dataset": ",".join(run.datasets),
        "eval_dataset": ",".join(run.eval_datasets) or None,
        **run.arguments,
    }


def _broken(name: str, value: Any, key: str) -> Problem | None:
    argument = RELEASE_ARGUMENTS.get(name)
    shown = "" if SECRET_KEY.search(name) else repr(value)
    if argument is None:
        near = nearest(name, RELEASE_ARGUMENTS)
        rule = f"LLaMA-Factory {RELEASE} has no argument of that name"
        return Problem(key, shown, rule, f"Did you mean {near}" if near else "Remove it")
    rule_broken = argument.rule_broken_by(value)
    if rule_broken is None:
        return None
    near = nearest(str(value), [word for word in argument.choices if isinstance(word, str)])
    return Problem(key, shown, rule_broken, f"Did you mean {near}" if near else _fit(value))


def _fit(value: Any) -> str:
    return "Give a value that fits" if value is not None else "Give a value, or remove it"


def _several_processes(settings: Settings, run: TrainingRunSettings) -> bool:
    """Whether several devices train together, as far as the settings alone say."""
    host = settings.host
    if host.cluster is not None or run.deepspeed is not None or run.fsdp is not None:
        return True
    return host.hardware != "cpu" and host.gpu.count not in ("all", 1)


def _unable(settings: Settings, run: TrainingRunSettings, key: str) -> Iterator[Problem]:
    """What the packages of the image, or the host's hardware, cannot do."""
    for name, feature in NOT_IN_THE_IMAGE.items():
        if run.arguments.get(name):
            yield Problem(
                key_of(run, name, key),
                repr(run.arguments[name]),
                f"no image that the stack makes has the packages of {feature}",
                "Remove it, or name an image that has them in images.llamafactory.image",
            )
    method = run.arguments.get("quantization_method", "bnb")
    if run.quantization_bit is not None and method != "bnb":
        yield Problem(
            key_of(run, "quantization_method", key),
            repr(method),
            f"no image that the stack makes has the package {method}",
            "Remove it: bitsandbytes quantizes to 4 and 8 bits",
        )
    if run.arguments.get("enable_liger_kernel") and settings.host.hardware == "cpu":
        yield Problem(
            key_of(run, "enable_liger_kernel", key),
            "True",
            "liger's kernels are Triton's, which compute on GPUs, and host.hardware is cpu",
            "Remove it, or choose another host.hardware",
        )
    if run.flash_attn == "fa3" and settings.host.hardware == "cpu":
        yield Problem(
            f"{key}.flash_attn",
            "'fa3'",
            "LLaMA-Factory has it for gpt-oss on GPUs alone, and host.hardware is cpu",
            "Remove it, or choose another host.hardware",
        )
    if run.arguments.get("pure_bf16") and settings.host.hardware == "cpu":
        yield Problem(
            key_of(run, "pure_bf16", key),
            "True",
            "no processor takes it, and host.hardware is cpu",
            "Remove it: precision bf16 is enough",
        )
