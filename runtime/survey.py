"""A look at all that a stack has in its volumes, by a container that can only read.

It has no network, mounts every volume read-only, and is gone when the look is over.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from plan.container import Mount
from plan.owner import Owner
from plan.survey import Survey, SurveyRequest
from runtime.docker.engine import Engine
from runtime.inquiry import ask_program

PROGRAM = Path(__file__).resolve().parents[1] / "in_container/survey.py"


def take_survey(
    engine: Engine, owner: Owner, request: SurveyRequest, *, image: str, mounts: Sequence[Mount]
) -> Survey:
    """What was asked for. `image` is one of the stack's with Python in it.

    Raises `StepError` where a volume or the image is gone.
    """
    return ask_program(
        engine,
        owner,
        PROGRAM,
        request,
        Survey,
        step="survey",
        image=image,
        mounts=[replace(mount, read_only=True) for mount in mounts],
        unanswered=f"the volumes of {owner.stack} cannot be looked at",
        unreadable=f"what the survey of {owner.stack} says cannot be read",
    )
