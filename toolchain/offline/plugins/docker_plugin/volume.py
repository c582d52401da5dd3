"""`docker:index/volume:Volume`, by terraform-provider-docker's `resource_docker_volume.go`.

Everything replaces. Its id is its name. Creating one that is there already takes it over, as the
engine itself does. A volume that is in use is waited for, half a minute, when it is removed.
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
from toolchain.offline.plugins.errors import PluginError
from toolchain.offline.plugins.property_values import Properties
from toolchain.offline.plugins.provider import Operation

LABEL_FIELDS = {
    "label": Attribute("string", required=True, force_new=True),
    "value": Attribute("string", required=True, force_new=True),
}
_REMOVAL_SECONDS = 30
_REMOVAL_PAUSE_SECONDS = 1


class Volume(BridgedResource):
    """A volume."""

    title = "docker.Volume"
    schema = {
        "name": Attribute("string", required=True, force_new=True),
        "labels": Attribute("set", force_new=True, fields=LABEL_FIELDS),
    }
    outputs = ("driver", "mountpoint")
    schema_version = 1

    def make(self, operation: Operation, inputs: Properties) -> tuple[str, Properties]:
        """Make the volume."""
        with explained(f"unable to create volume {inputs['name']}"):
            made = self._engine.client.create_volume(
                inputs["name"], labels=labels_to_map(inputs.get("labels"))
            )
        return self._found(operation, made["Name"], inputs)

    def look(
        self, operation: Operation, resource_id: str, state: Properties
    ) -> tuple[str, Properties] | None:
        """Find the volume by its name."""
        try:
            with explained(f"unable to inspect volume {resource_id}"):
                found = self._engine.client.inspect_volume(resource_id)
        except PluginError as error:
            if is_not_found(error):
                return None
            raise
        live = {
            **state,
            "name": found["Name"],
            "labels": labels_from_map(found.get("Labels")),
            "driver": found["Driver"],
            "mountpoint": found["Mountpoint"],
        }
        return found["Name"], live

    def remove(self, operation: Operation, resource_id: str, state: Properties) -> None:
        """Remove the volume; wait for the containers that still use it."""
        deadline = time.monotonic() + _REMOVAL_SECONDS
        while True:
            try:
                with explained(f"unable to remove volume {resource_id}"):
                    self._engine.client.remove_volume(resource_id, force=True)
            except PluginError as error:
                if is_not_found(error):
                    return
                if "volume is in use" not in str(error) or time.monotonic() > deadline:
                    raise
                operation.log.status(f"volume {resource_id} is still in use, waiting")
                operation.sleep(_REMOVAL_PAUSE_SECONDS)
            else:
                return

    def _found(self, operation: Operation, name: str, state: Properties) -> tuple[str, Properties]:
        found = self.look(operation, name, state)
        if found is None:
            msg = f"volume {name} was created, but the engine does not know it"
            raise PluginError(msg)
        return found
