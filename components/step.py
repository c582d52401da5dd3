"""The one place where a step becomes a Pulumi command."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import pulumi
import pulumi_command as command

from plan.codec import decode, encode
from plan.owner import Owner
from plan.step import Noun, Request, StepPlan

R = TypeVar("R")

PYTHON = ".venv/bin/python"
"""Relative to the project, where Pulumi starts commands: an absolute path would make every step
look changed in another clone."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What every step of a stack is deployed with."""

    engine: str | None
    owner: Owner
    owner_id: pulumi.Output[str]
    """Known once the stack has claimed the host."""
    tokens: Mapping[str, str]
    """By step: changes when the step's work is gone."""
    secrets: Mapping[str, pulumi.Input[str]]
    """Secret environment variables by name; a step gets those that its plan asks for."""


def program(
    name: str,
    noun: Noun,
    *actions: Literal["converge", "delete"],
    stdin: pulumi.Input[str],
    parent: pulumi.Resource,
    after: Sequence[pulumi.Resource] = (),
    environment: Mapping[str, pulumi.Input[str]] | None = None,
    sees_previous_result: bool = False,
) -> command.local.Command:
    """A command that runs one of the programs, for these of its actions.

    The command lines are stored in the state, and must outlive every reorganisation of the
    programs.
    """
    lines = {action: shlex.join([PYTHON, "-m", "runtime", noun, action]) for action in actions}
    return command.local.Command(
        name,
        create=lines.get("converge"),
        update=lines.get("converge"),
        delete=lines.get("delete"),
        stdin=stdin,
        environment=environment,
        add_previous_output_in_env=sees_previous_result,
        # The program's progress; its one line of result is for the graph, not for the operator.
        logging=command.local.Logging.STDERR,
        # A component's own `depends_on` does not reach its children.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=list(after)),
    )


def step_command(
    name: str,
    noun: Noun,
    step: StepPlan,
    deployment: Deployment,
    *,
    parent: pulumi.Resource,
    token: pulumi.Input[str] | None = None,
    after: Sequence[pulumi.Resource] = (),
    secret_environment: Sequence[str] = (),
) -> command.local.Command:
    """A command that converges one step. Its token is that of the step's work, unless given.

    All that a step depends on is part of its request, so that a change is an update in place. As
    `triggers` it would replace the command, with `update` set too: `delete` would run after
    `create` and could take away what was just made.
    """
    request = Request(
        engine=deployment.engine,
        owner=deployment.owner,
        step=step,
    )
    given = deployment.tokens.get(step.name, "") if token is None else token
    secrets = {key: value for key, value in deployment.secrets.items() if key in secret_environment}
    return program(
        name,
        noun,
        "converge",
        "delete",
        stdin=completed(request, deployment, given),
        parent=parent,
        after=after,
        environment=secrets,
    )


def step_result(step: command.local.Command, kind: type[R]) -> pulumi.Output[R]:
    """What a program says with the one line of JSON that it ends with."""
    return step.stdout.apply(lambda line: decode(kind, line))


def completed(
    request: Request[Any], deployment: Deployment, token: pulumi.Input[str] = ""
) -> pulumi.Output[str]:
    """A request as its program reads it, with what is known only at deployment."""

    def complete(owner_id: str, token: str) -> str:
        owner = replace(request.owner, id=owner_id)
        return encode(replace(request, owner=owner, token=token))

    return pulumi.Output.all(deployment.owner_id, token).apply(lambda known: complete(*known))
