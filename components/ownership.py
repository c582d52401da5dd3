"""Labels and options of the Docker resources that a stack owns."""

from dataclasses import replace

import pulumi

from components.step import Deployment


def owner_labels(deployment: Deployment) -> pulumi.Output[dict[str, str]]:
    """Labels of everything that the stack creates on the engine."""
    owner = deployment.owner
    return deployment.owner_id.apply(lambda owner_id: replace(owner, id=owner_id).labels)


def kept_by_name(parent: pulumi.Resource, *, retain: bool = False) -> pulumi.ResourceOptions:
    """Options of a resource whose name is fixed: two of it cannot be there at once.

    Its labels are those of its first day: another one would replace it, with all that it holds.
    """
    return pulumi.ResourceOptions(
        parent=parent,
        retain_on_delete=retain,
        delete_before_replace=True,
        ignore_changes=["labels"],
    )
