"""The one look at the host that an up takes, before anything is created."""

import contextlib
import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pulumi

from components.naming import type_token
from components.planning.host_check import HostCheckPlan
from stack_configs.problem import Problem, SettingsError

PROGRAM = str(Path(__file__).parent / "runtime" / "host_check.py")


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """What the host is, and which work of earlier ups is still there."""

    facts: Mapping[str, Any]
    tokens: Mapping[str, str]
    """By step. A step whose work is gone has a new token, which makes its command run again."""


class HostLook:
    """The one look at the host of an up or a preview, under way in a process of its own.

    It comes before the graph, so that problems end the program before anything is registered. A
    process rather than an invoke: an invoke first starts a plugin, and nothing goes on meanwhile.
    """

    def __init__(self, plan: HostCheckPlan, *, helper_images: Sequence[str]) -> None:
        """Starts the look.

        `helper_images` are images of the stack that a container may be made from, never started,
        to look into a volume that no other container mounts.
        """
        spec = {
            **dataclasses.asdict(plan),
            "gpu": plan.gpu.model_dump(),
            "minimum": plan.minimum.model_dump(),
            "helper_images": list(helper_images),
        }
        self._process = subprocess.Popen(
            [sys.executable, PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # It begins at once; a program that ends early says why when it is asked.
        with contextlib.suppress(BrokenPipeError), cast("IO[str]", self._process.stdin) as reader:
            json.dump(spec, reader)
        self._process.stdin = None

    def facts(self) -> HostFacts:
        """What was seen.

        Raises `SettingsError` with every problem of the host, and `pulumi.RunError` when the
        program could not look.
        """
        answer, words = self._process.communicate()
        if self._process.returncode != 0:
            raise pulumi.RunError(f"the host cannot be looked at: {words.strip()}")
        seen = json.loads(answer)
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
