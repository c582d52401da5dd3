"""The one place where a step becomes a Pulumi command."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_command as command

from components.naming import type_token
from planning.container import ContainerPlan, Mount
from planning.stage import StagePlan
from components.program import program_command
from components.volumes import MountSource


@dataclass(frozen=True, kw_only=True)
class StageArgs:
    """What a stage needs beside its plan."""

    plan: StagePlan
    """Everything decided before deployment; plain values only."""
    stack: str
    engine: str | None
    token: str
    """From the host check: changes when the stage's artefact is gone."""
    image: pulumi.Input[str]
    """Reference of the image to run."""
    volumes: Mapping[str, MountSource]
    """Volumes by role."""
    network: pulumi.Input[str]
    """Name of the stack's network."""
    built_on: tuple[pulumi.Input[str], ...] = ()
    """Fingerprints of the steps before: the order of the graph."""
    secrets: Mapping[str, pulumi.Input[str]] | None = None
    """Secret environment variables by name; those that the plan asks for are handed over."""
    after: Sequence[pulumi.Resource] = ()
    """What must have ended before, though nothing of it is used."""


def step_command(
    name: str,
    program: str,
    spec: Mapping[str, Any],
    *,
    parent: pulumi.Resource,
    fingerprint: str,
    token: str,
    environment: Mapping[str, pulumi.Input[str]] | None = None,
    after: Sequence[pulumi.Resource] = (),
) -> command.local.Command:
    """A command that converges one step by a program under `runtime/`.

    Fingerprint and token are part of what the program reads, so a change of either is an update in
    place. As `triggers` they would replace the command, with `update` set too: `delete` would run
    after `create` and could take away what was just made.
    """
    return command.local.Command(
        name,
        create=program_command(program, "converge"),
        update=program_command(program, "converge"),
        delete=program_command(program, "delete"),
        stdin=_as_json({**spec, "fingerprint": fingerprint, "token": token}),
        environment=dict(environment or {}),
        add_previous_output_in_env=False,
        # The program's progress; its one line of result is for the graph, not for the operator.
        logging=command.local.Logging.STDERR,
        # A component's own `depends_on` does not reach its children.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=list(after)),
    )


class Stage(pulumi.ComponentResource):
    """A step that finishes: one command, one detached container, one artefact.

    Each kind of stage is a class of its own, so that the graph shows it under its own type.
    """

    fingerprint: pulumi.Output[str]
    """Known once the artefact is there: the next stage takes it, and so comes after."""
    artefact: pulumi.Output[str]
    """Folder in the output volume."""
    results: pulumi.Output[Mapping[str, Any]]
    """Figures that the stage left behind, such as `train_loss`; may be empty."""

    def __init__(
        self, name: str, args: StageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_token(type(self).__name__), name, None, opts)
        plan = args.plan
        secrets = {
            key: value
            for key, value in (args.secrets or {}).items()
            if key in plan.secret_environment
        }
        step = step_command(
            f"{name}-command",
            "steps/stage",
            {
                "engine": args.engine,
                "stack": args.stack,
                "name": plan.name,
                "noun": plan.noun,
                "title": plan.title,
                "container": _container(plan.container, args),
                "artefact": str(plan.artefact),
                "partial": str(plan.partial),
                "marker": str(plan.marker),
                "files": dict(plan.files),
                "uploads": dict(plan.uploads),
                "progress_log": plan.progress_log,
                "results": plan.results,
                "secret_environment": sorted(secrets),
                "preload": plan.preload,
                "deadline_seconds": plan.deadline_seconds,
                "built_on": list(args.built_on),
            },
            parent=self,
            fingerprint=plan.fingerprint,
            token=args.token,
            environment=secrets,
            after=args.after,
        )
        result = step_result(step)
        self.fingerprint = result["fingerprint"]
        self.artefact = result["artefact"]
        self.results = result["results"]
        self.register_outputs(
            {
                "fingerprint": self.fingerprint,
                "artefact": self.artefact,
                "results": self.results,
            }
        )


def step_result(step: command.local.Command) -> pulumi.Output[Any]:
    """The one line of JSON that every program ends with."""
    return step.stdout.apply(json.loads)


def _as_json(spec: Mapping[str, Any]) -> pulumi.Output[str]:
    """A spec as JSON, as soon as the outputs in it are known.

    `Output.json_dumps` makes an output of every leaf first, which takes a tenth of a quiet up.
    """
    outputs: list[pulumi.Output[Any]] = []
    json.dumps(spec, default=outputs.append)

    def render(values: list[Any]) -> str:
        known = iter(values)
        return json.dumps(spec, default=lambda _: next(known))

    return pulumi.Output.all(*outputs).apply(render)


def _container(plan: ContainerPlan, args: StageArgs) -> dict[str, Any]:
    accelerator = plan.accelerator
    return {
        "image": args.image,
        "command": list(plan.command),
        "environment": dict(plan.environment),
        "mounts": [mount_spec(mount, args.volumes) for mount in plan.mounts],
        "network": args.network if plan.network == "stack" else plan.network,
        "shm_bytes": plan.shm_bytes,
        "accelerator": {
            "gpus": accelerator.gpus,
            "devices": list(accelerator.devices),
            "groups": list(accelerator.groups),
            "host_mounts": list(accelerator.host_mounts),
            "security_opts": list(accelerator.security_opts),
        },
    }


def mount_spec(mount: Mount, volumes: Mapping[str, MountSource]) -> dict[str, Any]:
    """A mount as the programs read it: the volume's role becomes its name or host directory."""
    source = volumes[mount.volume]
    return {
        "type": source.type,
        "source": source.source,
        "target": mount.target,
        "read_only": mount.read_only,
    }
