"""The end of every step that leaves a whole model: its tokenizer is completed (E2, E3)."""

import shlex
from pathlib import PurePosixPath

from planning.ollama_template import begins_with_token
from planning.step import IN_CONTAINER
from planning.weights import Weights
from stack_configs.settings.chat_templates import TRAINING_TEMPLATES, ChatTemplate

PROGRAM = "complete_tokenizer.py"
UPLOADS = {name: f"{IN_CONTAINER}/{name}" for name in (PROGRAM, "sentencepiece_file.py")}
"""What the container needs for it, as `ContainerStepPlan.uploads` has it."""

RECIPE = 1
"""Part of the identity of every whole model. Raise it when the program completes something else:
models are trained or merged again then, which an edit of the program alone must not cause."""


def complete_tokenizer(folder: PurePosixPath, *, template: ChatTemplate, source: Weights) -> str:
    """A shell command that completes the model in `folder`, made from `source`."""
    writes = begins_with_token(TRAINING_TEMPLATES[template])
    begins = "--begin-token" if writes else "--no-begin-token"
    return shlex.join(
        (
            *("python", str(folder / PROGRAM), begins),
            *(("--revision", source.revision) if source.revision else ()),
            *(source.model, str(folder)),
        )
    )
