"""Quantization: a GGUF file in the type that is served, made by llama.cpp's quantizer (E3).

A step of its own: another quantization converts nothing again. What the importance matrix is
computed from is what the model was last trained on, as LLaMA-Factory's template writes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from plan import paths
from plan.container import NO_NETWORK, Container
from plan.identity import identity
from plan.secret import HUB_TOKEN
from plan.step import ContainerStepPlan
from planning.dataset_registration import DatasetPlan, render_dataset_info
from planning.gguf_conversion import FILE, needs_quantizer
from planning.hub_model import hub_environment
from planning.step import (
    BUNDLED_LIBGOMP,
    IN_CONTAINER,
    Surroundings,
    offline_environment,
    then_complete,
)
from planning.training_arguments import render_arguments
from planning.training_run import MEDIA, with_media
from planning.weights import LASTING_ARGUMENTS, Weights
from stack_configs.settings.chat_templates import ChatTemplate
from stack_configs.settings.gguf_conversion import GgufConversionSettings
from stack_configs.settings.images import MirrorSettings
from stack_configs.settings.training_runs import TrainingRunSettings

PROGRAM = "calibration_text.py"
CONFIG = "calibration.yaml"
TEXT = "calibration.txt"
MATRIX = "importance.gguf"

DATA_ARGUMENTS = frozenset(
    {"template", "dataset", "cutoff_len", "max_samples", "seed", "mask_history"}
    | {"mix_strategy", "interleave_probs", "enable_thinking", "streaming"}
    | {"image_max_pixels", "image_min_pixels", "video_max_pixels", "video_min_pixels"}
    | {"video_fps", "video_maxlen", "audio_sampling_rate", "crop_to_patches"}
    | {*LASTING_ARGUMENTS}
)
"""Arguments on what is read and how it is written as tokens: all that a text is made of."""

RECIPE = 1
"""Raise it when the program writes another text: an edit of it alone makes nothing again."""

CONTEXT = 512
"""Tokens that the matrix is computed over at a time, as llama.cpp does by itself. It wants twice as
many at least: a text that is shorter is repeated."""


@dataclass(frozen=True, kw_only=True)
class LastTraining:
    """The run that a model was trained by last: its data stands for what the model is asked."""

    run: TrainingRunSettings
    step: ContainerStepPlan
    template: ChatTemplate
    weights: Weights
    """What it left, merged: a whole model, with its tokenizer."""
    datasets: Sequence[DatasetPlan]


def plan_quantizations(
    settings: GgufConversionSettings,
    *,
    model: str,
    gguf: ContainerStepPlan,
    trained: LastTraining,
    mirrors: MirrorSettings,
    around: Surroundings,
) -> tuple[ContainerStepPlan, ...]:
    """The steps from the converter's file to the one that is served; none where it is the same."""
    if not needs_quantizer(settings):
        return ()
    if not settings.importance_matrix:
        return (plan_quantization(settings, model=model, gguf=gguf, matrix=None, around=around),)
    text = plan_calibration_text(
        settings, model=model, trained=trained, mirrors=mirrors, around=around
    )
    matrix = plan_importance_matrix(model=model, gguf=gguf, text=text, around=around)
    quantized = plan_quantization(settings, model=model, gguf=gguf, matrix=matrix, around=around)
    return (text, matrix, quantized)


def plan_calibration_text(
    settings: GgufConversionSettings,
    *,
    model: str,
    trained: LastTraining,
    mirrors: MirrorSettings,
    around: Surroundings,
) -> ContainerStepPlan:
    """What a model was trained on last, as text. It looks at the hub where the run does."""
    image = around.images.llamafactory
    run, weights, datasets = trained.run, trained.weights, trained.datasets
    mark = identity(
        "calibration-text",
        RECIPE,
        image.recipe,
        settings.calibration_tokens,
        trained.step.identity,
    )
    folder = paths.partial(mark)
    rendered = render_arguments(run, template=trained.template, weights=weights)
    arguments: dict[str, Any] = {
        **{key: value for key, value in rendered.items() if key in DATA_ARGUMENTS},
        "model_name_or_path": weights.model,
        "dataset_dir": str(folder),
    }
    commands = [
        f"python {folder / PROGRAM} {folder / CONFIG} {run.stage} "
        # What is repeated may come out as fewer tokens, where two rows meet in one.
        f"{settings.calibration_tokens} {3 * CONTEXT} {folder / TEXT}"
    ]
    if media := dict.fromkeys(dataset.media.target for dataset in datasets if dataset.media):
        arguments["media_dir"] = str(folder / MEDIA)
        commands = with_media(folder / MEDIA, media, commands)
    offline = all(dataset.data for dataset in datasets)
    return ContainerStepPlan(
        noun="calibration-text",
        name=around.name(model, "calibration-text"),
        title=f"write what {model} was trained on as text",
        identity=mark,
        reads=weights.artefacts,
        container=Container(
            image=image.reference,
            command=then_complete(mark, *commands),
            environment=offline_environment() if offline else hub_environment(mirrors),
            mounts=around.volumes.training_mounts,
            network=NO_NETWORK if offline else around.names.network,
        ),
        files={
            CONFIG: yaml.safe_dump(arguments, sort_keys=False, allow_unicode=True),
            paths.DATASET_INFO: render_dataset_info(datasets),
        },
        uploads={PROGRAM: f"{IN_CONTAINER}/{PROGRAM}"},
        secret_environment=() if offline else (HUB_TOKEN,),
        preload=BUNDLED_LIBGOMP,
    )


def plan_importance_matrix(
    *, model: str, gguf: ContainerStepPlan, text: ContainerStepPlan, around: Surroundings
) -> ContainerStepPlan:
    """How much each weight of the converted model matters for that text."""
    image = around.images.converter
    mark = identity("importance-matrix", image.recipe, CONTEXT, gguf.identity, text.identity)
    target = paths.partial(mark) / MATRIX
    return ContainerStepPlan(
        noun="importance-matrix",
        name=around.name(model, "importance-matrix"),
        title=f"measure which weights of {model} matter",
        identity=mark,
        reads=(str(gguf.artefact), str(text.artefact)),
        container=Container(
            image=image.reference,
            command=then_complete(
                mark,
                # The text has the template's special tokens, and perplexity is not asked for.
                f"llama-imatrix -m {gguf.artefact / FILE} -f {text.artefact / TEXT} -o {target} "
                f"--ctx-size {CONTEXT} --parse-special --no-ppl",
                # It ends well where it could not write.
                f"test -s {target}",
            ),
            mounts=(around.volumes.output.mount(),),
        ),
    )


def plan_quantization(
    settings: GgufConversionSettings,
    *,
    model: str,
    gguf: ContainerStepPlan,
    matrix: ContainerStepPlan | None,
    around: Surroundings,
) -> ContainerStepPlan:
    """One run of llama.cpp's quantizer. Rows that fit no block of the type get the next larger one,
    as the quantizer decides and says."""
    image, name = around.images.converter, settings.quantization
    mark = identity(
        "quantization", image.recipe, name, gguf.identity, matrix.identity if matrix else None
    )
    weighed = f"--imatrix {matrix.artefact / MATRIX} " if matrix else ""
    return ContainerStepPlan(
        noun="quantization",
        name=around.name(model, "quantization"),
        title=f"quantize {model}: {name}",
        identity=mark,
        reads=tuple(str(step.artefact) for step in (gguf, matrix) if step),
        container=Container(
            image=image.reference,
            command=then_complete(
                mark,
                f"llama-quantize {weighed}{gguf.artefact / FILE} {paths.partial(mark) / FILE} "
                f"{name.upper()}",
            ),
            mounts=(around.volumes.output.mount(),),
        ),
    )
