"""The volumes of a stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_docker as docker

from components.naming import owner_labels, type_token
from planning.volumes import VolumePlan, VolumesPlan


@dataclass(frozen=True, kw_only=True)
class MountSource:
    """What a mount takes its files from."""

    type: Literal["volume", "bind"]
    source: pulumi.Input[str]
    """Name of the volume, or directory of the host."""


@dataclass(frozen=True, kw_only=True)
class VolumesArgs:
    """The volumes to have."""

    plan: VolumesPlan
    stack: str


class Volumes(pulumi.ComponentResource):
    """Volumes for data, output, HF cache and Ollama's store.

    Owns the Docker volumes. A host directory in a volume's place is the operator's and is not
    owned; a retained volume stays when the stack goes, and the next up adopts it by its name.
    """

    by_role: Mapping[str, MountSource]
    """What containers mount, by role."""
    names: pulumi.Output[Mapping[str, str]]
    """Names on the host, by role."""

    def __init__(
        self, name: str, args: VolumesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_token("Volumes"), name, None, opts)
        self.by_role = {plan.role: self._source(name, plan, args.stack) for plan in args.plan}
        self.names = pulumi.Output.all(
            **{role: mount.source for role, mount in self.by_role.items()}
        )
        self.register_outputs({"names": self.names})

    def _source(self, name: str, plan: VolumePlan, stack: str) -> MountSource:
        if plan.host_path is not None:
            return MountSource(type="bind", source=plan.host_path)
        volume = docker.Volume(
            f"{name}-{plan.role.replace('_', '-')}",
            name=plan.name,
            labels=[
                docker.VolumeLabelArgs(label=label, value=value)
                for label, value in owner_labels(stack).items()
            ],
            opts=pulumi.ResourceOptions(
                parent=self, retain_on_delete=plan.retain, delete_before_replace=True
            ),
        )
        return MountSource(type="volume", source=volume.name)
