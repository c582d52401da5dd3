"""The one look at the host that an up takes, before anything is created."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_command as command

from components.naming import type_token
from components.planning.host_check import HostCheckPlan
from components.program import program_command
from stack_configs.problem import Problem, SettingsError


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """What the host is, and which work of earlier ups is still there."""

    facts: Mapping[str, Any]
    tokens: Mapping[str, str]
    """By step. A step whose work is gone has a new token, which makes its command run again."""


def look_at_host(plan: HostCheckPlan, *, helper_images: Sequence[str]) -> HostFacts:
    """Ask the engine, once, in preview too: an invoke runs whenever the program does.

    `helper_images` are images of the stack that a container may be made from, never started, to
    look into a volume that no other container mounts.
    Raises `SettingsError` with every problem of the host.
    """
    spec = {
        **dataclasses.asdict(plan),
        "gpu": plan.gpu.model_dump(),
        "minimum": plan.minimum.model_dump(),
    }
    answer = command.local.run(
        command=program_command("host_check"),
        stdin=json.dumps({**spec, "helper_images": list(helper_images)}),
        add_previous_output_in_env=False,
        logging=command.local.Logging.STDERR,
    )
    seen = json.loads(answer.stdout)
    if seen["problems"]:
        raise SettingsError("host check", [Problem(**problem) for problem in seen["problems"]])
    return HostFacts(facts=seen["facts"], tokens=seen["tokens"])


@dataclass(frozen=True, kw_only=True)
class HostCheckArgs:
    """What was seen."""

    host: HostFacts


class HostCheck(pulumi.ComponentResource):
    """The checked host, as the graph shows it. Creates nothing; the look came before the graph."""

    facts: pulumi.Output[Mapping[str, Any]]
    """Engine version, cores, memory and free disk (GB), and what could not be checked."""

    def __init__(
        self, name: str, args: HostCheckArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_token("HostCheck"), name, None, opts)
        self.facts = pulumi.Output.from_input(dict(args.host.facts))
        # Free disk changes from minute to minute: as an output it would never let an up rest.
        self.register_outputs({})
