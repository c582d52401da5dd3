"""Merges: a LoRA adapter becomes part of the model that it was trained on (E2)."""

import yaml

from plan import paths
from plan.container import Container
from plan.identity import identity
from plan.step import ContainerStepPlan
from planning.chat_parity import ChatEncoding
from planning.step import (
    BUNDLED_LIBGOMP,
    IN_CONTAINER,
    Surroundings,
    offline_environment,
    then_complete,
)
from planning.tokenizer_completion import RECIPE as COMPLETION_RECIPE
from planning.tokenizer_completion import UPLOADS, complete_tokenizer
from planning.training_arguments import LOCATIONS
from planning.weights import Weights
from stack_configs.settings.chat_templates import ChatTemplate
from stack_configs.settings.models import MergeSettings

CONFIG = "merge.yaml"
PROGRAM = "merge.py"

LAYOUT = frozenset({"export_size", "export_device"})
"""Arguments on the way to the merged weights and their files, which make no other weights: a run
that starts from a merge is not trained again for them."""

RECIPE = 1
"""Raise it when the program merges in another way: an edit of it alone makes nothing again."""


def plan_merge(
    settings: MergeSettings,
    *,
    model: str,
    template: ChatTemplate,
    weights: Weights,
    around: Surroundings,
    after: str | None = None,
    judges: bool = False,
    encoding: ChatEncoding | None = None,
) -> ContainerStepPlan:
    """`llamafactory-cli export`: the adapter of `weights` into the model that it was trained on.

    `after` names the run that left the adapter, where it is not the last one. With `judges` it is
    a reward model, whose value head goes along. `encoding` is written on the way.
    """
    arguments = {
        **weights.arguments,
        "template": template,
        "finetuning_type": "lora",
        "export_size": settings.export_size,
        "export_device": settings.export_device,
        **({"stage": "rm"} if judges else {}),
        **({"cutoff_len": weights.trained_length} if weights.trained_length else {}),
    }
    image = around.images.llamafactory
    made_by = {key: value for key, value in arguments.items() if key not in LOCATIONS | LAYOUT}
    recipes = (RECIPE, COMPLETION_RECIPE)
    mark = identity(
        "merge",
        image.recipe,
        made_by,
        weights.made_of,
        recipes,
        encoding.identity if encoding else None,
    )
    folder = paths.partial(mark)
    tokenizer = encoding.weights if encoding else None
    config = yaml.safe_dump(
        {**arguments, "export_dir": str(folder)}, sort_keys=False, allow_unicode=True
    )
    return ContainerStepPlan(
        noun="merge",
        name=around.name(model, *([after] if after else []), "merge"),
        title=f"merge {after} into {model}" if after else f"merge {model}",
        identity=mark,
        reads=tuple(
            dict.fromkeys((*weights.artefacts, *(tokenizer.artefacts if tokenizer else ())))
        ),
        container=Container(
            image=image.reference,
            command=then_complete(
                mark,
                f"python {folder / PROGRAM} {folder / CONFIG}",
                complete_tokenizer(folder, template=template, source=weights),
            ),
            environment=offline_environment(),
            mounts=around.volumes.training_mounts,
            limits=around.limits,
        ),
        files={CONFIG: config, **(encoding.files if encoding else {})},
        uploads={
            PROGRAM: f"{IN_CONTAINER}/{PROGRAM}",
            **UPLOADS,
            **(encoding.uploads if encoding else {}),
        },
        preload=BUNDLED_LIBGOMP,
    )
