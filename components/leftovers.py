"""What steps that failed or were killed leave on the engine."""

from collections.abc import Sequence

import pulumi
import pulumi_command as command

from components.step import Deployment, completed, program
from plan.step import LeftoversStep, Request


def leftovers_command(
    name: str,
    plan: LeftoversStep,
    deployment: Deployment,
    *,
    parent: pulumi.Resource,
    after: Sequence[pulumi.Resource],
) -> command.local.Command:
    """A command that does nothing but on delete: it removes the containers of all steps.

    A step that failed in its first up is not in the state, and its container holds the volumes.
    Built after the volumes and before the steps, this goes after the steps and before the volumes.
    """
    request = Request(engine=deployment.engine, owner=deployment.owner, step=plan)
    return program(
        name,
        "leftovers",
        "delete",
        stdin=completed(request, deployment),
        parent=parent,
        after=after,
    )
