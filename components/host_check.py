"""The host: looked at before the graph, claimed as its first step."""

from dataclasses import dataclass

import pulumi
import pulumi_command as command

from components import type_tokens
from components.step import program_command, step_result
from plan.codec import encode
from plan.owner import Owner
from plan.step import HostClaimResult, HostClaimStep, Request


@dataclass(frozen=True, kw_only=True)
class HostCheckArgs:
    """The claim, and whose it is."""

    plan: HostClaimStep
    engine: str | None
    owner: Owner


class HostCheck(pulumi.ComponentResource):
    """The checked host. The look came before the graph; the claim comes before everything in it.

    The claim ends an up in which another user's stack of the same name lives on the host, or whose
    engine is another one than that of the ups before.
    """

    owner_id: pulumi.Output[str]
    """Tells this stack from another one of the same name."""

    def __init__(
        self, name: str, args: HostCheckArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_tokens.HOST_CHECK, name, None, opts)
        request = Request(engine=args.engine, owner=args.owner, step=args.plan)
        claim = command.local.Command(
            f"{name}-command",
            create=program_command("host-claim", "converge"),
            update=program_command("host-claim", "converge"),
            stdin=encode(request),
            # What was claimed before: the program compares.
            add_previous_output_in_env=True,
            logging=command.local.Logging.STDERR,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.owner_id = step_result(claim, HostClaimResult).apply(lambda said: said.owner_id)
        self.register_outputs({})
