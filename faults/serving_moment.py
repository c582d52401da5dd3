"""Holds a model on its way to its name, inside the container of the server."""

import contextlib
from pathlib import Path
from typing import Any

import docker

from faults.table import Fault, Phase
from tests.integration.stack import Stack

HOLD = Path(__file__).with_name("hold_command.py")
HELD = b"held"

COMMANDS = {
    Phase.CREATING: r"ollama create ",
    Phase.ASKED: r"bash -c .* post /api/",
    Phase.TAKING: r"sh -c ollama cp ",
}
"""What runs in the container of the server, by phase."""


class ServingMoment:
    """One phase of the next model that is served; what is done then is held there."""

    def __init__(self, client: Any, stack: Stack, fault: Fault, image: str) -> None:
        self._server = client.containers.get(f"{stack.physical_name}-ollama-server")
        self._holder = client.containers.run(
            image,
            ["python", "-c", HOLD.read_text(), f"(?s){COMMANDS[fault.phase]}"],
            pid_mode=f"container:{self._server.id}",
            network_mode="none",
            detach=True,
        )
        self._is_watched = True

    def has_come(self) -> bool:
        """Whether the phase is reached, and held."""
        return HELD in self._holder.logs()

    @property
    def missed(self) -> str:
        """Why nothing is held; empty where it is."""
        self._holder.reload()
        is_held = self._holder.status == "running" and self.has_come()
        return "" if is_held else f"held no more: {self._holder.logs().decode()}"

    def strike(self, *, at_once: bool) -> None:
        """Kill the server, or stop it as `docker stop` does."""
        if at_once:
            self._server.kill()
        else:
            self._server.stop(timeout=1)

    def release(self) -> None:
        """Let go of what is held."""
        if self._is_watched:
            self._is_watched = False
            # Its processes went with the server's, perhaps.
            with contextlib.suppress(docker.errors.APIError):
                self._holder.stop(timeout=5)
            self._holder.remove(force=True)
