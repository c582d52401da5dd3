"""What a state says that its stack refers to."""

from plan.codec import decode
from plan.references import References
from plan.step import LeftoversStep, Request
from report.state import StackState

ENTRY = ("runtime", "leftovers", "delete")
"""End of the command that takes everything else along when the stack goes."""


def references_of(state: StackState) -> References | None:
    """What the settings refer to, since the last up began; None after one of a version before."""
    for resource in state.resources:
        if str(resource.inputs.get("delete", "")).split()[-3:] == [*ENTRY]:
            asked = decode(Request[LeftoversStep], str(resource.inputs.get("stdin", "")))
            return asked.step.references
    return None
