"""The stack takes the host for itself, before it makes anything there."""

import os
import uuid
from collections.abc import Mapping

from plan import labels
from plan.codec import decode
from plan.step import HostClaimResult, HostClaimStep, Request
from runtime.docker import containers
from runtime.docker.engine import Engine
from runtime.failure import StepError

KIND = HostClaimStep
LENGTH = 12
"""Hex digits that tell a stack from others of its name."""
PREVIOUS = "PULUMI_COMMAND_STDOUT"
"""Where pulumi-command hands over what this program said at the up before."""


def converge(request: Request[HostClaimStep]) -> HostClaimResult:
    """Who the stack is on this host, and which engine it lives on.

    Raises `StepError` where another stack of its name lives there, and where this stack lives on
    another engine.
    """
    engine = Engine(request.engine)
    before = _said_before()
    with engine.calls() as api:
        engine_id = str(api.info()["ID"])
    if before is None:
        _demand_nobody(engine, request.owner.stack)
        return HostClaimResult(owner_id=uuid.uuid4().hex[:LENGTH], engine_id=engine_id)
    if before.engine_id != engine_id:
        raise StepError(
            f"stack {request.owner.stack} lives on another Docker engine than {engine.address}: "
            "its volumes, models and containers do not move by themselves.\n"
            "  Set host.engine (or DOCKER_HOST) back to where it lives; to move, run `pulumi "
            "destroy` there first, or make a new stack for the new host"
        )
    return before


def delete(_request: Request[HostClaimStep]) -> Mapping[str, str]:
    """Nothing: what was claimed is gone when the claim goes."""
    return {}


def _said_before() -> HostClaimResult | None:
    said = os.environ.get(PREVIOUS, "").strip()
    return decode(HostClaimResult, said) if said else None


def _demand_nobody(engine: Engine, stack: str) -> None:
    """Nothing of another owner's lives under the stack's name. Retained volumes do not count."""
    mine = f"{labels.STACK}={stack}"
    with engine.calls() as api:
        networks = api.networks(filters={"label": [mine, labels.OWNER]})
    found = containers.list_containers(engine, mine, labels.OWNER)
    names = [*(each["Name"] for each in networks), *map(containers.name_of, found)]
    if names:
        raise StepError(
            f"another stack called {stack} lives on this engine ({', '.join(sorted(names))}), "
            "which this one would take apart.\n"
            "  Give this stack another name (pulumi stack rename). If the other one's state is "
            "lost, remove what it left: docker rm -f the containers, docker network rm the network"
        )
