"""Merges: the LoRA adapter becomes part of its base model (E2)."""

import yaml

from plan import paths
from plan.container import NO_NETWORK, Container
from plan.identity import file_digest, identity
from plan.step import ContainerStepPlan
from planning.step import (
    BUNDLED_LIBGOMP,
    IN_CONTAINER,
    PROJECT,
    Surroundings,
    offline_environment,
    then_complete,
)
from planning.training_arguments import LOCATIONS, Weights
from stack_configs.settings.models import ChatTemplate, MergeSettings

CONFIG = "merge.yaml"
PROGRAM = "merge.py"


def plan_merge(
    settings: MergeSettings,
    *,
    model: str,
    template: ChatTemplate,
    weights: Weights,
    around: Surroundings,
    offline: bool,
) -> ContainerStepPlan:
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
    image = around.images.llamafactory
    made_by = {key: value for key, value in arguments.items() if key not in LOCATIONS}
    mark = identity("merge", image.recipe, made_by, weights.made_of, file_digest(PROJECT / program))
    folder = paths.partial(mark)
    config = yaml.safe_dump({**arguments, "export_dir": str(folder)}, sort_keys=False)
    return ContainerStepPlan(
        noun="merge",
        name=around.name(model, "merge"),
        title=f"merge {model}",
        identity=mark,
        container=Container(
            image=image.reference,
            command=then_complete(mark, f"python {folder / PROGRAM} {folder / CONFIG}"),
            environment=offline_environment() if offline else {},
            mounts=around.volumes.training_mounts,
            network=NO_NETWORK if offline else around.names.network,
        ),
        files={CONFIG: config},
        uploads={PROGRAM: program},
        secret_environment=() if offline else ("HF_TOKEN",),
        preload=BUNDLED_LIBGOMP,
    )
