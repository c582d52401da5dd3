"""Host ports that a stack wants and somebody else has."""

import errno
import socket
from collections.abc import Iterator

from plan.host import HostQuestions, PortClaim
from plan.problem import Problem
from runtime.docker.containers import Summary, name_of

ANY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to


def port_problems(
    containers: list[Summary], questions: HostQuestions, *, is_local: bool
) -> Iterator[Problem]:
    """A problem for every claimed port that cannot be published."""
    for claim in questions.ports:
        holder = _holder(containers, claim)
        if holder is None:
            if is_local and (reason := _refused(claim.bind_address, claim.port)):
                yield _taken(claim, reason)
            continue
        ours = questions.owner.owns(holder.get("Labels"))
        if not (ours and claim.container == name_of(holder)):
            yield _taken(claim, f"container {name_of(holder)} has it")


def _holder(containers: list[Summary], claim: PortClaim) -> Summary | None:
    wanted = claim.bind_address
    for container in containers:
        for port in container.get("Ports") or ():
            bound = port.get("IP", "")
            overlaps = wanted == bound or wanted in ANY_ADDRESS or bound in ANY_ADDRESS
            if port.get("PublicPort") == claim.port and overlaps:
                return container
    return None


def _refused(address: str, port: int) -> str | None:
    """Why the port cannot be listened on here; None when it can."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # A connection that ended a moment ago is nobody who listens.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "a program on this host listens there (ss -ltnp shows which)"
            if error.errno == errno.EADDRNOTAVAIL:
                return "this host has no such address"
            # Not permitted to this user, or a family that is off: the engine may well be able to.
    return None


def _taken(claim: PortClaim, reason: str) -> Problem:
    return Problem(
        claim.key,
        f"{claim.bind_address}:{claim.port}",
        f"the port cannot be published: {reason}",
        f"Free the port, or set {claim.key} to another one",
    )
