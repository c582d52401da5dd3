"""What an operator reads of a container step that did not leave its artefact."""

from collections.abc import Mapping
from typing import Any

from plan.step import ContainerStepPlan
from runtime.progress.diagnosis import diagnose
from runtime.progress.progress import duration


def tell_overdue(step: ContainerStepPlan) -> str:
    """A step that was stopped at its deadline."""
    way_out = f"Raise {step.deadline_setting}" if step.deadline_setting else "Free the host"
    return (
        f"{step.what} was stopped: it had not ended after its deadline of "
        f"{duration(step.deadline_seconds)}.\n"
        f"  {way_out}, then run `pulumi up` again: it goes on from its last checkpoint.\n"
        f"  Its log: docker logs {step.name}"
    )


def tell_failure(
    step: ContainerStepPlan, state: Mapping[str, Any], *, log: str, seconds: float
) -> str:
    """A step that ended: why, and what to change. `state` is the engine's word of its container."""
    code = int(state["ExitCode"])
    if code == 0:
        return (
            f"{step.what} ended well but left nothing at {step.artefact}. "
            f"Its log: docker logs {step.name}"
        )
    found = diagnose(
        log, failed=step.noun, exit_code=code, out_of_memory=bool(state.get("OOMKilled"))
    )
    return (
        f"{step.what} failed with exit code {code} after {duration(seconds)}: {found}\n"
        f"  Its log: docker logs {step.name}. What it made so far stays in {step.partial}"
    )
