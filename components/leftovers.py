"""What steps that failed or were killed leave on the engine."""

from collections.abc import Sequence

import pulumi
import pulumi_command as command

from components.step import Deployment, completed, program_command
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
    return command.local.Command(
        name,
        delete=program_command("leftovers", "delete"),
        stdin=completed(request, deployment),
        add_previous_output_in_env=False,
        logging=command.local.Logging.STDERR,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=list(after)),
    )
