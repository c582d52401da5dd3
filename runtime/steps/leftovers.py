"""Containers of steps that failed or were killed: they go before the volumes that they hold."""

from collections.abc import Mapping

from plan import labels
from plan.step import LeftoversStep, Request
from runtime.docker import containers
from runtime.docker.engine import Engine
from runtime.program import say

KIND = LeftoversStep


def converge(_request: Request[LeftoversStep]) -> Mapping[str, int]:
    """Nothing: while the stack lives, each step sees to its own containers."""
    return {}


def delete(request: Request[LeftoversStep]) -> Mapping[str, int]:
    """Remove the containers of all steps of the stack, those that no state knows too."""
    engine, owner = Engine(request.engine), request.owner
    found = containers.list_containers(engine, f"{labels.STACK}={owner.stack}", labels.STEP)
    left = [container for container in found if owner.owns(container.get("Labels"))]
    for container in left:
        say(f"removing container {containers.name_of(container)}, which a step left behind")
        containers.stop(engine, str(container["Id"]))
        containers.remove(engine, str(container["Id"]))
    return {"removed": len(left)}
