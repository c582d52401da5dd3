"""Containers of steps that failed or were killed: they go before the volumes that they hold."""

from collections.abc import Mapping

from plan import labels
from plan.owner import Owner
from plan.step import LeftoversStep, Request
from runtime.docker import containers
from runtime.docker.engine import Engine
from runtime.host.place import HELPER
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
    images = _helper_images(engine, owner)
    for image in images:
        with containers.ignored_when_gone(), engine.calls() as api:
            api.remove_image(image, force=True)
    return {"removed": len(left) + len(images)}


def _helper_images(engine: Engine, owner: Owner) -> list[str]:
    """Images of no bytes that a look at the host was killed over."""
    mine = [f"{labels.STACK}={owner.stack}", f"{labels.STEP}={HELPER}"]
    with engine.calls() as api:
        found = api.images(filters={"label": mine})
    return [str(image["Id"]) for image in found if owner.owns(image.get("Labels"))]
