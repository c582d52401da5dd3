"""`docker:index/container:Container`, by `resource_docker_container_funcs.go`.

Its id is the engine's. A replacement always deletes first: the official plugin sets
`DeleteBeforeReplace` for it. A container that was made but does not come up stays in the state
with the reason, and the next update replaces it: its state lacks what only the engine could say.
"""

from __future__ import annotations

from toolchain.offline.plugins.docker_plugin.bridged import BridgedResource
from toolchain.offline.plugins.docker_plugin.container_request import MIB, create_request
from toolchain.offline.plugins.docker_plugin.container_schema import CONTAINER_SCHEMA
from toolchain.offline.plugins.docker_plugin.container_startup import (
    connect_networks,
    wait_until_healthy,
)
from toolchain.offline.plugins.docker_plugin.container_state import NOT_SERVED, read_state
from toolchain.offline.plugins.docker_plugin.engine import explained, is_not_found
from toolchain.offline.plugins.docker_plugin.image_store import find_image
from toolchain.offline.plugins.errors import PartlyCreatedError, PluginError
from toolchain.offline.plugins.property_values import Properties
from toolchain.offline.plugins.provider import Operation

UPDATED_IN_PLACE = ("restart", "memory", "memorySwap")


class Container(BridgedResource):
    """A container."""

    title = "docker.Container"
    schema = CONTAINER_SCHEMA
    outputs = (
        *("bridge", "containerLogs", "exitCode", "hostname", "init", "logDriver"),
        *("networkDatas", "platform", "runtime", "stopSignal", "stopTimeout"),
    )
    schema_version = 2

    def make(self, operation: Operation, inputs: Properties) -> tuple[str, Properties]:
        """Make the container and bring it up."""
        find_image(self._engine, operation, inputs["image"])
        with explained(f"unable to create container {inputs['name']}"):
            made = self._engine.client.create_container_from_config(  # type: ignore[no-untyped-call]
                create_request(inputs), inputs["name"]
            )
        container_id = made["Id"]
        try:
            connect_networks(self._engine, container_id, inputs)
            self._start(container_id, inputs)
            if inputs.get("wait"):
                wait_until_healthy(self._engine, operation, container_id, inputs["waitTimeout"])
            found = self.look(operation, container_id, inputs)
        except PluginError as error:
            state = self.checkpoint(container_id, {**NOT_SERVED, **inputs})
            raise PartlyCreatedError(str(error), container_id, state) from error
        if found is None:
            msg = f"container {inputs['name']} was created, but is gone already"
            raise PluginError(msg)
        return found

    def look(
        self, operation: Operation, resource_id: str, state: Properties
    ) -> tuple[str, Properties] | None:
        """Find the container by its id."""
        try:
            with explained(f"unable to inspect container {resource_id}"):
                found = self._engine.client.inspect_container(resource_id)
        except PluginError as error:
            if is_not_found(error):
                return None
            raise
        return found["Id"], read_state(found, state)

    def change(
        self, operation: Operation, resource_id: str, state: Properties, planned: Properties
    ) -> Properties:
        """Start it if it has stopped; hand a new restart policy and new limits to the engine."""
        if not state.get("mustRun", False):
            self._start(resource_id, planned)
        if any(state.get(name) != planned.get(name) for name in UPDATED_IN_PLACE):
            swap = planned.get("memorySwap", 0)
            with explained(f"unable to update container {planned['name']}"):
                self._engine.client.update_container(
                    resource_id,
                    mem_limit=planned.get("memory", 0) * MIB,
                    memswap_limit=swap * MIB if swap > 0 else swap,
                    restart_policy={"Name": planned["restart"], "MaximumRetryCount": 0},
                )
        return planned

    def remove(self, operation: Operation, resource_id: str, state: Properties) -> None:
        """Stop it, with `destroyGraceSeconds` to end by itself, and remove it."""
        client = self._engine.client
        action = f"unable to remove container {state.get('name', resource_id)}"
        try:
            with explained(action):
                client.stop(resource_id, timeout=state.get("destroyGraceSeconds", 0))
            with explained(action):
                client.remove_container(resource_id, v=state.get("removeVolumes", True), force=True)
        except PluginError as error:
            if not is_not_found(error) and "already in progress" not in str(error):
                raise
        while self.look(operation, resource_id, {}) is not None:
            operation.sleep(0.1)

    def _start(self, container_id: str, inputs: Properties) -> None:
        with explained(f"unable to start container {inputs['name']}"):
            self._engine.client.start(container_id)
