"""`docker:index/network:Network`, by terraform-provider-docker's `resource_docker_network.go`.

Everything replaces. Its id is the engine's. A network with containers in it is waited for, half
a minute, when it is removed.
"""

from __future__ import annotations

import time

from toolchain.offline.plugins.attributes import Attribute
from toolchain.offline.plugins.docker_plugin.bridged import (
    BridgedResource,
    labels_from_map,
    labels_to_map,
)
from toolchain.offline.plugins.docker_plugin.engine import explained, is_not_found
from toolchain.offline.plugins.docker_plugin.volume import LABEL_FIELDS
from toolchain.offline.plugins.errors import PluginError
from toolchain.offline.plugins.property_values import Properties
from toolchain.offline.plugins.provider import Operation

_REMOVAL_SECONDS = 30
_REMOVAL_PAUSE_SECONDS = 1


class Network(BridgedResource):
    """A network."""

    title = "docker.Network"
    schema = {
        "name": Attribute("string", required=True, force_new=True),
        "labels": Attribute("set", force_new=True, fields=LABEL_FIELDS),
        "ipamDriver": Attribute("string", force_new=True, default="default", served=False),
    }
    outputs = ("driver", "internal", "ipamConfigs", "options", "scope")
    schema_version = 1

    def make(self, operation: Operation, inputs: Properties) -> tuple[str, Properties]:
        """Make the network; the engine is asked to refuse a second one of the name."""
        with explained(f"unable to create network {inputs['name']}"):
            made = self._engine.client.create_network(
                inputs["name"],
                labels=labels_to_map(inputs.get("labels")),
                check_duplicate=True,
            )
        found = self.look(operation, made["Id"], inputs)
        if found is None:
            msg = f"network {inputs['name']} was created, but the engine does not know it"
            raise PluginError(msg)
        return found

    def look(
        self, operation: Operation, resource_id: str, state: Properties
    ) -> tuple[str, Properties] | None:
        """Find the network by its id."""
        try:
            with explained(f"unable to inspect network {resource_id}"):
                found = self._engine.client.inspect_network(resource_id)
        except PluginError as error:
            if is_not_found(error):
                return None
            raise
        pools = (found.get("IPAM") or {}).get("Config") or []
        live = {
            **state,
            "name": found["Name"],
            "labels": labels_from_map(found.get("Labels")),
            "driver": found["Driver"],
            "options": found.get("Options") or {},
            "internal": found["Internal"],
            "attachable": found["Attachable"],
            "ingress": found["Ingress"],
            "ipv6": found["EnableIPv6"],
            "ipamDriver": found["IPAM"]["Driver"],
            "ipamConfigs": [
                {
                    "subnet": pool.get("Subnet", ""),
                    "gateway": pool.get("Gateway", ""),
                    "ipRange": pool.get("IPRange", ""),
                    "auxAddress": pool.get("AuxiliaryAddresses") or {},
                }
                for pool in pools
            ],
            "scope": found["Scope"],
        }
        return found["Id"], live

    def remove(self, operation: Operation, resource_id: str, state: Properties) -> None:
        """Remove the network; wait for the containers that are still in it."""
        deadline = time.monotonic() + _REMOVAL_SECONDS
        while True:
            try:
                with explained(f"unable to remove network {state.get('name', resource_id)}"):
                    self._engine.client.remove_network(resource_id)
            except PluginError as error:
                if is_not_found(error):
                    return
                if "has active endpoints" not in str(error) or time.monotonic() > deadline:
                    raise
                operation.log.status("containers are still in the network, waiting")
                operation.sleep(_REMOVAL_PAUSE_SECONDS)
            else:
                return
