"""Resumption: what a training that was killed goes on from."""

from pathlib import PurePosixPath

from plan import paths
from planning.step import IN_CONTAINER
from stack_configs.settings.training_runs import TrainingRunSettings

PROGRAM = "drop_cut_checkpoints.py"
UPLOADS = {PROGRAM: f"{IN_CONTAINER}/{PROGRAM}"}
"""What the container needs for it, as `ContainerStepPlan.uploads` has it."""


def can_resume(settings: TrainingRunSettings) -> bool:
    """Whether a killed run goes on from its last checkpoint: LLaMA-Factory cannot resume stage ppo,
    and PiSSA takes the weights apart by chance, another time in another way."""
    return settings.stage != "ppo" and not settings.arguments.get("pissa_init")


def drop_what_cannot_be_resumed(folder: PurePosixPath, *, can_resume: bool) -> str:
    """A shell command that leaves the checkpoints that a killed run had finished, and no weights.

    LLaMA-Factory refuses a folder with weights and without a checkpoint, which a kill while the
    result is written leaves. A run that cannot be resumed begins again.
    """
    weights = f"rm -f {folder}/*.safetensors* {folder}/*.bin*"
    if not can_resume:
        return f"{weights}; rm -rf {folder}/{paths.CHECKPOINT}*"
    return f"{weights}; python {folder / PROGRAM} {folder}"
