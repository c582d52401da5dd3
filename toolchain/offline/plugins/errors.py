"""What can go wrong in an operation, as an operator should read it."""

from __future__ import annotations

from toolchain.offline.plugins.property_values import Properties


class PluginError(Exception):
    """An operation that cannot be done; its message goes to the operator as it is."""


class CancelledError(PluginError):
    """An operation that the operator interrupted, or whose time was up."""


class PartlyCreatedError(PluginError):
    """A resource that exists but did not come up as it should.

    Pulumi keeps it in the state with the reasons and tries an update the next time.
    """

    def __init__(self, reason: str, resource_id: str, state: Properties) -> None:
        super().__init__(reason)
        self.resource_id = resource_id
        self.state = state
