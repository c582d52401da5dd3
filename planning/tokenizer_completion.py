"""The end of every step that leaves a whole model: its tokenizer is completed (E2, E3)."""

import shlex
from pathlib import PurePosixPath

from planning.chat_template import SPECIAL_TOKENS
from planning.step import IN_CONTAINER
from planning.weights import Weights
from stack_configs.settings.models import ChatTemplate

PROGRAM = "complete_tokenizer.py"
UPLOADS = {PROGRAM: f"{IN_CONTAINER}/{PROGRAM}"}
"""What the container needs for it, as `ContainerStepPlan.uploads` has it."""

RECIPE = 1
"""Part of the identity of every whole model. Raise it when the program completes something else:
models are trained or merged again then, which an edit of the program alone must not cause."""


def complete_tokenizer(folder: PurePosixPath, *, template: ChatTemplate, source: Weights) -> str:
    """A shell command that completes the model in `folder`, made from `source`."""
    begins = "--begin-token" if SPECIAL_TOKENS[template].writes_begin else "--no-begin-token"
    return shlex.join(
        (
            *("python", str(folder / PROGRAM), begins),
            *(("--revision", source.revision) if source.revision else ()),
            *(source.model, str(folder)),
        )
    )
