"""Holds artefacts against their sums, where they lie, by a container that has no network."""

from collections.abc import Sequence
from pathlib import Path

from plan.container import Mount
from plan.damage import DamageReport, DamageRequest
from plan.owner import Owner
from runtime.docker.engine import Engine
from runtime.inquiry import ask_program

PROGRAM = Path(__file__).resolve().parents[1] / "in_container/find_damage.py"
STEP = "find-damage"


def find_damage(
    engine: Engine, owner: Owner, request: DamageRequest, *, image: str, mounts: Sequence[Mount]
) -> DamageReport:
    """What is damaged; it has lost its name, and its step makes it again.

    `image` is one of the stack's with Python in it. Raises `StepError` where a volume is gone.
    """
    return ask_program(
        engine,
        owner,
        PROGRAM,
        request,
        DamageReport,
        step=STEP,
        image=image,
        mounts=mounts,
        unanswered=f"artefacts of {owner.stack} cannot be checked",
        unreadable=f"what is said of artefacts of {owner.stack} is damaged",
    )
