"""The volumes and the network of a stack."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components import type_tokens
from components.ownership import kept_by_name, owner_labels
from components.step import Deployment
from plan.volume import VolumePlan, VolumesPlan


@dataclass(frozen=True, kw_only=True)
class VolumesArgs:
    """The volumes to have."""

    plan: VolumesPlan
    deployment: Deployment


class Volumes(pulumi.ComponentResource):
    """Volumes for data, output, HF cache and Ollama's store.

    Owns the Docker volumes. A host directory in a volume's place is the operator's and is not
    owned; a retained volume stays when the stack goes, and the next up adopts it by its name.
    """

    names: pulumi.Output[Mapping[str, str]]
    """Names on the host, by role; the directory where one stands in a volume's place."""

    def __init__(
        self, name: str, args: VolumesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_tokens.VOLUMES, name, None, opts)
        self.names = pulumi.Output.all(
            **{plan.role: self._source(name, plan, args.deployment) for plan in args.plan}
        )
        self.register_outputs({"names": self.names})

    def _source(self, name: str, plan: VolumePlan, deployment: Deployment) -> pulumi.Input[str]:
        if plan.host_path is not None:
            return plan.host_path
        volume = docker.Volume(
            f"{name}-{plan.role.replace('_', '-')}",
            name=plan.name,
            labels=owner_labels(deployment).apply(
                lambda labels: [
                    docker.VolumeLabelArgs(label=label, value=value)
                    for label, value in labels.items()
                ]
            ),
            opts=kept_by_name(self, retain=plan.retain),
        )
        return volume.name


def stack_network(
    name: str, physical_name: str, deployment: Deployment, *, parent: pulumi.Resource
) -> docker.Network:
    """One bridge for the services and for the steps that fetch something."""
    return docker.Network(
        name,
        name=physical_name,
        labels=owner_labels(deployment).apply(
            lambda labels: [
                docker.NetworkLabelArgs(label=label, value=value) for label, value in labels.items()
            ]
        ),
        opts=kept_by_name(parent),
    )
