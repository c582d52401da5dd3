"""The host: looked at before the graph, claimed as its first step."""

from dataclasses import dataclass

import pulumi

from components import type_tokens
from components.step import program, step_result
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
        claim = program(
            f"{name}-command",
            "host-claim",
            "converge",
            stdin=encode(request),
            parent=self,
            # What was claimed before: the program compares.
            sees_previous_result=True,
        )
        self.owner_id = step_result(claim, HostClaimResult).apply(lambda said: said.owner_id)
        self.register_outputs({})
