"""Merges: the LoRA adapter becomes part of its base model (E2)."""

import yaml

from planning import paths
from planning.base_model import IN_CONTAINER
from planning.container import ContainerPlan
from planning.fingerprint import file_digest, fingerprint
from planning.images import PROJECT, ImagePlan
from planning.stage import StagePlan, then_complete
from planning.training_arguments import Weights
from planning.training_run import TRAINING_MOUNTS, offline_environment
from stack_configs.settings.models import ChatTemplate, MergeSettings

CONFIG = "merge.yaml"
PROGRAM = "merge.py"


def plan_merge(
    settings: MergeSettings,
    *,
    name: str,
    model: str,
    template: ChatTemplate,
    weights: Weights,
    image: ImagePlan,
    offline: bool,
) -> StagePlan:
    """`llamafactory-cli export`: the adapter of `weights` into the model that it was trained on."""
    program = f"{IN_CONTAINER}/{PROGRAM}"
    arguments = {
        "model_name_or_path": weights.model,
        **({"model_revision": weights.revision} if weights.revision else {}),
        "adapter_name_or_path": weights.adapter,
        "template": template,
        "finetuning_type": "lora",
        "export_size": settings.export_size,
        "export_device": settings.export_device,
    }
    mark = fingerprint(
        "merge", image.reference, arguments, weights.fingerprints, file_digest(PROJECT / program)
    )
    folder = paths.partial(mark)
    config = yaml.safe_dump({**arguments, "export_dir": str(folder)}, sort_keys=False)
    return StagePlan(
        noun="merge",
        name=name,
        title=f"merge {model}",
        fingerprint=mark,
        container=ContainerPlan(
            image=image.role,
            command=then_complete(mark, f"python {folder / PROGRAM} {folder / CONFIG}"),
            environment=offline_environment() if offline else {},
            mounts=TRAINING_MOUNTS,
            network="none" if offline else "stack",
        ),
        files={CONFIG: config},
        uploads={PROGRAM: program},
        secret_environment=() if offline else ("HF_TOKEN",),
    )
