"""The one look at the host that an up takes, before anything is created."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi

from components.naming import type_token
from stack_configs.settings.problem import Problem, SettingsError

if TYPE_CHECKING:
    # Not loaded here: a look is begun before the settings' packages are.
    from planning.host_check import HostCheckPlan

PROGRAM = str(Path(__file__).parents[1] / "runtime" / "host" / "host_check.py")


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """What the host is, and which work of earlier ups is still there."""

    facts: Mapping[str, Any]
    tokens: Mapping[str, str]
    """By step. A step whose work is gone has a new token, which makes its command run again."""


class HostLook:
    """The one look at the host of an up or a preview, in a process that loads while others do.

    It comes before the graph, so that problems end the program before anything is registered. An
    invoke would first start a plugin, and the program could do nothing meanwhile. Made, asked and
    answered in three calls: between them the program loads what it needs itself.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, plan: HostCheckPlan, *, helper_images: Sequence[str]) -> None:
        """Say what to look at; the answer is on its way while the caller does something else.

        `helper_images` are images of the stack that a container may be made from, never started,
        to look into a volume that no other container mounts.
        """
        spec = {
            **dataclasses.asdict(plan),
            "gpu": plan.gpu.model_dump(),
            "minimum": plan.minimum.model_dump(),
            "helper_images": list(helper_images),
        }
        if self._process.stdin is None:
            raise AssertionError("the process was started with a pipe")
        # One that has failed already tells why in its answer.
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(json.dumps(spec))
        self._process.stdin = None

    def answer(self) -> HostFacts:
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

    def close(self) -> None:
        """Call off a look that has not been taken."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()


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
