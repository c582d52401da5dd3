"""Holds a step of a converging stack at a phase, so that what breaks it breaks it there."""

import contextlib
import json
from pathlib import Path
from typing import Any

import docker

from faults.table import Fault, Phase
from plan import labels, paths
from tests.integration.stack import Stack

HOLD = Path(__file__).with_name("hold.py")
HELD = b"held"
STOP_SECONDS = 10
"""As `docker stop`."""


def hold_naming(client: Any, image: str, container: Any, phase: Phase) -> Any:
    """A container that says `HELD` once another one stands where it names its artefact, or just
    after, and holds it there until this one is removed."""
    event = "begin" if phase is Phase.NAMING else "end"
    return client.containers.run(
        image,
        ["python", "-c", HOLD.read_text(), event],
        pid_mode=f"container:{container.id}",
        cap_add=["SYS_PTRACE"],
        network_mode="none",
        detach=True,
    )


class Moment:
    """One phase of one step's work that is new since this was made; ask it again and again."""

    def __init__(self, client: Any, stack: Stack, fault: Fault, image: str) -> None:
        self._client, self._stack, self._phase, self._image = client, stack, fault.phase, image
        self._name = f"{stack.physical_name}-stack-guide-{fault.step.name}"
        self._seen: Any = None
        self._holder: Any = None
        self._is_paused = False

    def has_come(self) -> bool:
        """Whether the phase is reached; what can be held is held from now on."""
        found = self._container()
        if self._seen is None and found is not None:
            self._seen = found
        if self._seen is None:
            return False
        match self._phase:
            case Phase.BEFORE:
                return True
            case Phase.AT_WORK:
                return found is not None and found.status == "running" and self._pause()
            case Phase.CHECKPOINT:
                return self._has_checkpoint(found) and self._pause()
            case Phase.NAMING | Phase.NAMED:
                return self._is_held(found)
            case Phase.AFTER:
                return found is None
            case _:
                raise ValueError(f"no phase of a container: {self._phase}")

    @property
    def missed(self) -> str:
        """Why the step is not in the phase, or was not when it broke; empty where it was."""
        found = self._container()
        status = "gone" if found is None else str(found.status)
        match self._phase:
            case Phase.BEFORE:
                return "" if status == "created" else f"its container was {status}"
            case Phase.AT_WORK | Phase.CHECKPOINT:
                return "" if status == "paused" else f"its container was {status}"
            case Phase.NAMING | Phase.NAMED:
                self._holder.reload()
                is_held = self._holder.status == "running"
                return "" if is_held else f"held no more: its container was {status}"
            case Phase.AFTER:
                return "its result was told" if self._is_told() else ""
            case _:
                raise ValueError(f"no phase of a container: {self._phase}")

    def strike(self, *, at_once: bool) -> None:
        """Kill the container, or stop it as `docker stop` does."""
        if at_once:
            self._seen.kill()
        else:
            # A paused one would not hear that it is to end.
            self._unpause()
            self._seen.stop(timeout=STOP_SECONDS)

    def release(self) -> None:
        """Let go of what is held."""
        if self._holder is not None:
            self._holder.remove(force=True)
            self._holder = None
        self._unpause()

    def _unpause(self) -> None:
        if self._is_paused and (found := self._container()) is not None:
            # It was killed perhaps, which ends a pause.
            with contextlib.suppress(docker.errors.APIError):
                found.unpause()
        self._is_paused = False

    def _pause(self) -> bool:
        try:
            self._seen.pause()
        except docker.errors.APIError:
            return False
        self._is_paused = True
        return True

    def _is_held(self, found: Any) -> bool:
        if self._holder is None:
            if found is None or found.status != "running":
                return False
            self._holder = hold_naming(self._client, self._image, found, self._phase)
        return HELD in self._holder.logs()

    def _has_checkpoint(self, found: Any) -> bool:
        if found is None or found.status != "running":
            return False
        step = self._stack.run["save_steps"]
        folder = paths.partial(self._identity) / f"{paths.CHECKPOINT}{step}"
        try:
            looked = found.exec_run(["test", "-e", str(folder / paths.TRAINER_STATE)])
        except docker.errors.APIError:
            return False
        return bool(looked.exit_code == 0)

    @property
    def _identity(self) -> str:
        return str(self._seen.labels[labels.IDENTITY])

    def _is_told(self) -> bool:
        """Whether the stack's state has the result of this work."""
        told = [resource.get("outputs", {}).get("stdout") for resource in self._stack.resources()]
        return any(
            json.loads(line).get("identity") == self._identity
            for line in told
            if isinstance(line, str) and line.startswith("{")
        )

    def _container(self) -> Any:
        try:
            return self._client.containers.get(self._name)
        except docker.errors.NotFound:
            return None
