"""What a plugin is made of: a provider, its resources, and the operations asked of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from toolchain.offline.plugins.engine_log import ResourceLog
from toolchain.offline.plugins.errors import CancelledError
from toolchain.offline.plugins.property_values import Properties


@dataclass(frozen=True)
class Failure:
    """One input that cannot be accepted, and why."""

    property: str
    reason: str


@dataclass(frozen=True)
class Checked:
    """The inputs with their defaults, or what is wrong with them."""

    inputs: Properties
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Change:
    """How one property differs: `kind` is add, delete or update."""

    kind: str
    replace: bool = False


@dataclass(frozen=True)
class Difference:
    """What an update would change."""

    changes: Mapping[str, Change]
    delete_before_replace: bool = False


@dataclass(frozen=True)
class Live:
    """A resource as the engine has it now."""

    resource_id: str
    state: Properties
    inputs: Properties


@dataclass(frozen=True)
class Operation:
    """One call by Pulumi, with all that it brings besides the properties."""

    urn: str
    log: ResourceLog
    cancelled: Event
    preview: bool = False
    timeout_seconds: float = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def resource_name(self) -> str:
        """The name that the program gave the resource."""
        return self.urn.rsplit("::", 1)[-1]

    def check_cancelled(self) -> None:
        """End the operation when the operator interrupted it or its own time-out is over."""
        if self.cancelled.is_set():
            msg = "the operation was cancelled"
            raise CancelledError(msg)
        if self.timeout_seconds and time.monotonic() - self.started > self.timeout_seconds:
            msg = f"the operation did not end within its {self.timeout_seconds:g} s time-out"
            raise CancelledError(msg)

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than the operation may run."""
        self.cancelled.wait(seconds)
        self.check_cancelled()


class Resource(Protocol):
    """One resource type."""

    def check(self, operation: Operation, olds: Properties, news: Properties) -> Checked:
        """Validate inputs and fill in defaults."""

    def diff(self, state: Properties, old_inputs: Properties, news: Properties) -> Difference:
        """Compare what there is with what is wanted, without asking the engine."""

    def create(self, operation: Operation, inputs: Properties) -> tuple[str, Properties]:
        """Make it; in a preview, foretell the outputs. Returns id and state."""

    def read(
        self, operation: Operation, resource_id: str, state: Properties, inputs: Properties
    ) -> Live | None:
        """Look at it; `None` when it is gone."""

    def update(
        self, operation: Operation, resource_id: str, state: Properties, news: Properties
    ) -> Properties:
        """Change it in place and return the new state."""

    def delete(self, operation: Operation, resource_id: str, state: Properties) -> None:
        """Remove it; one that is gone already is no error."""


class Provider(Protocol):
    """One plugin."""

    name: str
    version: str
    accepts_secrets: bool
    resources: Mapping[str, Resource]

    def check_config(self, news: Properties) -> tuple[Failure, ...]:
        """Validate the provider's own settings."""

    def configure(self, settings: Properties) -> None:
        """Take the settings; fail where they cannot work."""
