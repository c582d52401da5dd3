"""`docker:index/remoteImage:RemoteImage`, by `resource_docker_image_funcs.go`.

Its id is the image's id and name together. An image that is in the store is not pulled. Another
`name` replaces, without deleting first. Deleting removes the image's name, and the image with its
last name, unless `keepLocally` is set.
"""

from __future__ import annotations

from typing import Any

from toolchain.offline.plugins.attributes import Attribute
from toolchain.offline.plugins.docker_plugin.bridged import BridgedResource
from toolchain.offline.plugins.docker_plugin.engine import explained, is_not_found
from toolchain.offline.plugins.docker_plugin.image_store import find_image, inspect_image
from toolchain.offline.plugins.errors import PluginError
from toolchain.offline.plugins.property_values import Properties
from toolchain.offline.plugins.provider import Operation


class RemoteImage(BridgedResource):
    """An image out of a registry."""

    title = "docker.RemoteImage"
    # The official plugin overrides this `name`, which takes the deletion first away.
    delete_first = False
    schema = {
        "name": Attribute("string", required=True, force_new=True, pattern=r"\S+"),
        "keepLocally": Attribute("boolean"),
    }
    outputs = ("imageId", "repoDigest")

    def make(self, operation: Operation, inputs: Properties) -> tuple[str, Properties]:
        """Find the image or pull it."""
        found = find_image(self._engine, operation, inputs["name"])
        return _described(found, inputs)

    def look(
        self, operation: Operation, resource_id: str, state: Properties
    ) -> tuple[str, Properties] | None:
        """Find the image by its name."""
        found = inspect_image(self._engine, state["name"])
        return None if found is None else _described(found, state)

    def change(
        self, operation: Operation, resource_id: str, state: Properties, planned: Properties
    ) -> Properties:
        """Pull the image again if it is gone; nothing else about it can change."""
        found = find_image(self._engine, operation, planned["name"])
        return _described(found, planned)[1]

    def remove(self, operation: Operation, resource_id: str, state: Properties) -> None:
        """Remove the image's name, unless it is to be kept."""
        name = state["name"]
        if state.get("keepLocally") or inspect_image(self._engine, name) is None:
            return
        try:
            with explained(f"unable to remove image {name}"):
                self._engine.client.remove_image(name)
        except PluginError as error:
            if not is_not_found(error):
                raise


def _described(found: dict[str, Any], state: Properties) -> tuple[str, Properties]:
    name = state["name"]
    return found["Id"] + name, {
        **state,
        "imageId": found["Id"],
        "repoDigest": _repo_digest(name, found.get("RepoDigests") or []),
    }


def _repo_digest(name: str, digests: list[str]) -> str:
    """The digest under the image's own name; of several names the official plugin takes that."""
    if len(digests) == 1:
        return digests[0]
    repository = name.split("@", 1)[0]
    last = repository.rsplit("/", 1)[-1]
    if ":" in last:
        repository = repository.rsplit(":", 1)[0]
    return next((digest for digest in digests if digest.split("@")[0] == repository), "")
