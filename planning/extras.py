"""Optional parts of LLaMA-Factory: which settings need which (T4, T6, T7)."""

import re
from collections.abc import Iterator, Mapping

from stack_configs.settings.llamafactory_image import Extra
from stack_configs.settings.root import Settings
from stack_configs.settings.training_runs import TrainingRunSettings

EXTRA_OF: Mapping[str, Extra] = {
    "quantization_bit": "bitsandbytes",
    "deepspeed": "deepspeed",
    "use_unsloth": "unsloth",
    "enable_liger_kernel": "liger-kernel",
    "predict_with_generate": "metrics",
    "rope_scaling": "rope-scaling",
    "use_galore": "galore",
    "use_apollo": "apollo",
    "use_badam": "badam",
    "use_adam_mini": "adam-mini",
}
"""What a setting of a training run, or an argument of it, needs in the image (T4, T6, T7)."""

BITSANDBYTES_OPTIMIZERS = re.compile(r"paged_|lion_|rmsprop_bnb|ademamix|adamw_(bnb_)?8bit")
"""Names of `optim` that are bitsandbytes' own."""


def extras_of(run: TrainingRunSettings) -> Iterator[Extra]:
    """The optional parts of LLaMA-Factory that one training run needs."""
    if run.stage == "ppo":
        yield "ppo"
    for setting, extra in EXTRA_OF.items():
        if run.arguments.get(setting) or getattr(run, setting, None):
            yield extra
    if BITSANDBYTES_OPTIMIZERS.match(str(run.arguments.get("optim"))):
        yield "bitsandbytes"


def extras_needed(settings: Settings) -> Iterator[Extra]:
    """What the runs of an environment need, and what they report to."""
    for model in settings.models:
        for run in model.training_runs:
            yield from extras_of(run)
            # They take no part in what the run makes, and so none in its identity.
            yield from run.report_to
    if settings.tensorboard.enabled:
        yield "tensorboard"
