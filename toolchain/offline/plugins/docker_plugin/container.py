"""`docker:index/container:Container`, by `resource_docker_container_funcs.go`.

Its id is the engine's. A replacement always deletes first: the official plugin sets
`DeleteBeforeReplace` for it. A container that was made but does not come up stays in the state
with the reason, so that it can be looked at, updated and removed.
"""

from __future__ import annotations

from toolchain.offline.plugins.docker_plugin.bridged import BridgedResource
from toolchain.offline.plugins.docker_plugin.container_request import (
    MIB,
    create_request,
    swap_bytes,
)
from toolchain.offline.plugins.docker_plugin.container_schema import CONTAINER_SCHEMA
from toolchain.offline.plugins.docker_plugin.container_startup import (
    connect_networks,
    upload_files,
    wait_for_end,
    wait_until_healthy,
)
from toolchain.offline.plugins.docker_plugin.container_state import read_state
from toolchain.offline.plugins.docker_plugin.engine import explained, is_not_found
from toolchain.offline.plugins.docker_plugin.image_store import find_image
from toolchain.offline.plugins.errors import PartlyCreatedError, PluginError
from toolchain.offline.plugins.property_values import Properties
from toolchain.offline.plugins.provider import Operation

# What the official provider hands to the engine's update call; all of them at once.
_UPDATED_IN_ENGINE = (
    "restart",
    "maxRetryCount",
    "cpuShares",
    "cpuSet",
    "memory",
    "memoryReservation",
    "memorySwap",
)


class Container(BridgedResource):
    """A container."""

    title = "docker.Container"
    schema = CONTAINER_SCHEMA
    outputs = ("bridge", "containerLogs", "exitCode", "networkDatas")
    always_delete_first = True
    schema_version = 2

    def make(self, operation: Operation, inputs: Properties) -> tuple[str, Properties]:
        """Make the container and bring it up."""
        find_image(self._engine, operation, inputs["image"])
        with explained(f"unable to create container {inputs['name']}"):
            made = self._engine.client.create_container_from_config(  # type: ignore[no-untyped-call]
                create_request(inputs), inputs["name"]
            )
        container_id = made["Id"]
        state = dict(inputs)
        try:
            connect_networks(self._engine, container_id, inputs)
            upload_files(self._engine, container_id, inputs)
            self._start(container_id, inputs)
        except PluginError as error:
            # As a look at a stopped container would say it: the next update starts it.
            unstarted = {**state, "mustRun": False} if inputs["mustRun"] else state
            raise PartlyCreatedError(str(error), container_id, unstarted) from error
        try:
            if inputs["start"] and inputs["wait"]:
                wait_until_healthy(self._engine, operation, container_id, inputs["waitTimeout"])
            if inputs["attach"]:
                logs = wait_for_end(self._engine, operation, container_id, inputs)
                state.update({"containerLogs": logs} if logs is not None else {})
        except PluginError as error:
            raise PartlyCreatedError(str(error), container_id, state) from error
        found = self.look(operation, container_id, state)
        if found is None:
            msg = f"container {inputs['name']} was created, but is gone already (rm is set?)"
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
        """Start it if it must run and does not; hand limits and restart policy to the engine."""
        if planned["mustRun"] and not state.get("mustRun", False):
            self._start(resource_id, planned)
        if any(state.get(name) != planned.get(name) for name in _UPDATED_IN_ENGINE):
            with explained(f"unable to update container {planned['name']}"):
                self._engine.client.update_container(
                    resource_id,
                    cpu_shares=planned.get("cpuShares"),
                    cpuset_cpus=planned.get("cpuSet"),
                    mem_limit=planned.get("memory", 0) * MIB or None,
                    mem_reservation=planned.get("memoryReservation", 0) * MIB or None,
                    memswap_limit=swap_bytes(planned.get("memorySwap", 0)) or None,
                    restart_policy={
                        "Name": planned["restart"],
                        "MaximumRetryCount": planned.get("maxRetryCount", 0),
                    },
                )
        return planned

    def remove(self, operation: Operation, resource_id: str, state: Properties) -> None:
        """Stop it, with `destroyGraceSeconds` to end by itself, and remove it."""
        client = self._engine.client
        action = f"unable to remove container {state.get('name', resource_id)}"
        try:
            if not state.get("attach"):
                with explained(action):
                    client.stop(resource_id, timeout=state.get("destroyGraceSeconds", 0))
            with explained(action):
                client.remove_container(resource_id, v=state.get("removeVolumes", True), force=True)
        except PluginError as error:
            if not is_not_found(error) and "already in progress" not in str(error):
                raise
        self._wait_until_gone(operation, resource_id)

    def _start(self, container_id: str, inputs: Properties) -> None:
        if inputs["start"]:
            with explained(f"unable to start container {inputs['name']}"):
                self._engine.client.start(container_id)

    def _wait_until_gone(self, operation: Operation, container_id: str) -> None:
        """A container with `rm` is removed by the engine on its own, a moment later."""
        while self.look(operation, container_id, {}) is not None:
            operation.sleep(0.1)
