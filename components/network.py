"""The network of a stack."""

import pulumi
import pulumi_docker as docker

from components.naming import owner_labels


def stack_network(
    name: str, physical_name: str, *, stack: str, parent: pulumi.Resource
) -> docker.Network:
    """One bridge for the services and for the steps that fetch something."""
    return docker.Network(
        name,
        name=physical_name,
        labels=[
            docker.NetworkLabelArgs(label=label, value=value)
            for label, value in owner_labels(stack).items()
        ],
        # The name is fixed: two of it cannot be there at once.
        opts=pulumi.ResourceOptions(parent=parent, delete_before_replace=True),
    )
