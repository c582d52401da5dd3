"""Tells when a step of a converging stack has reached a phase."""

from typing import Any

import docker

from faults.table import Fault, Kind, Phase
from plan import labels, paths

WATCH = "until test -e {artefact}; do :; done"
"""Busy on purpose: the moment is short."""


class Moment:
    """One phase of one step that is new since this was made; ask it again and again."""

    def __init__(self, client: Any, stack: str, fault: Fault, image: str) -> None:
        self._client, self._stack, self._fault, self._image = client, stack, fault, image
        self._name = f"{stack}-stack-guide-{fault.step}"
        self._seen = self._watcher = None
        self.missed = "the up ended before this phase was seen"
        """Why the fault is not the one of the table; empty where it is."""

    def has_come(self) -> bool:
        """Whether the phase is reached; a container that is to be killed is killed at once."""
        found = self._container()
        if found is not None and self._seen is None:
            self._seen = found
            if self._fault.phase is Phase.RENAMED:
                self._watcher = self._watch(found.labels[labels.IDENTITY])
        if self._seen is None or not self._is_now(found):
            return False
        self.missed = self._strike(found)
        return True

    def close(self) -> None:
        """Remove what watched."""
        if self._watcher is not None:
            self._watcher.remove(force=True)

    def _strike(self, found: Any) -> str:
        """Kill the container where that is the fault; why this was not in its phase."""
        phase = self._fault.phase
        if phase is Phase.BEFORE and found.status != "created":
            return f"the container was {found.status} already"
        if phase is Phase.RENAMED and found is None:
            return "the container was gone already"
        if self._fault.kind is Kind.CONTAINER:
            try:
                self._seen.kill()  # type: ignore[attr-defined]
            except docker.errors.APIError:
                return "the container had ended already"
        return ""

    def _is_now(self, found: Any) -> bool:
        match self._fault.phase:
            case Phase.BEFORE:
                return True
            case Phase.AT_WORK:
                return found is not None and found.status == "running"
            case Phase.RENAMED:
                self._watcher.reload()  # type: ignore[attr-defined]
                return bool(self._watcher.status == "exited")  # type: ignore[attr-defined]
            case Phase.AFTER:
                return found is None

    def _container(self) -> Any:
        try:
            return self._client.containers.get(self._name)
        except docker.errors.NotFound:
            return None

    def _watch(self, identity: str) -> Any:
        return self._client.containers.run(
            self._image,
            ["sh", "-c", WATCH.format(artefact=paths.artefact(identity))],
            volumes={f"{self._stack}-output": {"bind": str(paths.OUTPUT), "mode": "ro"}},
            network_mode="none",
            detach=True,
        )
