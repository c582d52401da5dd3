"""`docker:index/image:Image`, by pulumi-docker's `provider/provider.go` and `provider/image.go`.

A change of any input is an update, and an update builds again. `check` puts the digest of the
build's context among the inputs, which is how a changed file shows. Reading looks at nothing, so a
refresh does not see that the image is gone, and deleting removes nothing: the image stays in the
engine. The inputs are kept as a secret under `__inputs`, and the diff compares with those. Pushing
is not served: `skipPush` has to be set.
"""

from __future__ import annotations

import platform
from pathlib import Path

from toolchain.offline.plugins.attributes import (
    Attribute,
    Schema,
    check_inputs,
    without_defaults_key,
)
from toolchain.offline.plugins.docker_plugin.build_context import BuildContext
from toolchain.offline.plugins.docker_plugin.engine import Engine
from toolchain.offline.plugins.docker_plugin.image_build import BUILDER_VERSIONS, build_image
from toolchain.offline.plugins.docker_plugin.image_store import inspect_image
from toolchain.offline.plugins.errors import PluginError
from toolchain.offline.plugins.property_values import Properties, Secret, has_unknown, reveal
from toolchain.offline.plugins.provider import Change, Checked, Difference, Failure, Live, Operation

_INPUTS_KEY = "__inputs"
_GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
_SCHEMA: Schema = {
    "imageName": Attribute("string", required=True, pattern=r"\S+"),
    "skipPush": Attribute("boolean"),
    "buildOnPreview": Attribute("boolean"),  # the SDKs always send it
    "build": Attribute(
        "object",
        fields={
            "context": Attribute("string"),
            "dockerfile": Attribute("string"),
            "args": Attribute("map"),
            "builderVersion": Attribute("string", pattern="|".join(BUILDER_VERSIONS)),
            "platform": Attribute("string"),
        },
    ),
}


class Image:
    """An image that is built."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def check(self, operation: Operation, olds: Properties, news: Properties) -> Checked:
        """Validate the inputs, fill in the build's defaults, and take the context's digest."""
        subject = f"docker.Image {operation.resource_name}"
        checked = check_inputs(_SCHEMA, subject, news)
        if checked.failures:
            return checked
        # The official plugin's own resource keeps no list of defaults.
        inputs: Properties = without_defaults_key(checked.inputs)
        for key, served, does in (
            ("skipPush", True, "push images"),
            ("buildOnPreview", False, "build in a preview"),
        ):
            if inputs.get(key, False) is not served:
                reason = (
                    f"{subject}: this stand-in does not {does}; set {key} to "
                    f"{str(served).lower()}, or install the official docker plugin 5.2.0"
                )
                return Checked(inputs, (Failure(key, reason),))
        inputs["buildOnPreview"] = False
        inputs["build"] = _completed(inputs.get("build", {}))
        return Checked(inputs)

    def diff(self, state: Properties, old_inputs: Properties, news: Properties) -> Difference:
        """Compare the inputs that were built with those of now."""
        olds = reveal(state.get(_INPUTS_KEY, old_inputs))
        changes = {}
        for key in sorted({*olds, *news}):
            old, new = olds.get(key), news.get(key)
            if old != new:
                kind = "add" if old is None else "delete" if new is None else "update"
                changes[key] = Change(kind)
        return Difference(changes)

    def create(self, operation: Operation, inputs: Properties) -> tuple[str, Properties]:
        """Build; a preview foretells nothing but the inputs."""
        if operation.preview:
            return "", inputs
        return inputs["imageName"], self._built(operation, inputs)

    def read(
        self, operation: Operation, resource_id: str, state: Properties, inputs: Properties
    ) -> Live:
        """Give back what is known: the official plugin does not look either."""
        return Live(resource_id, state, inputs)

    def update(
        self, operation: Operation, resource_id: str, state: Properties, news: Properties
    ) -> Properties:
        """Build again."""
        return news if operation.preview else self._built(operation, news)

    def delete(self, operation: Operation, resource_id: str, state: Properties) -> None:
        """Leave the image where it is."""

    def _built(self, operation: Operation, inputs: Properties) -> Properties:
        name, build = inputs["imageName"], inputs["build"]
        image_id = build_image(self._engine, operation, inputs)
        found = inspect_image(self._engine, name)
        if found is None:
            msg = f"image {image_id} was built, but is not in the engine under the name {name}"
            raise PluginError(msg)
        return {
            "dockerfile": BuildContext.of(build).relative_dockerfile(),
            "context": build["context"],
            "baseImageName": name,
            "registryServer": "",
            "imageName": name,
            "platform": build["platform"],
            "repoDigest": found["Id"],
            _INPUTS_KEY: Secret(inputs),
        }


def _completed(build: Properties) -> Properties:
    """The build with the official defaults, and its digest where the paths are known."""
    context = build.get("context") or "."
    completed = {
        "platform": _host_platform(),
        **build,
        "context": context,
    }
    if not has_unknown(context):
        completed["dockerfile"] = build.get("dockerfile") or str(Path(context) / "Dockerfile")
    if not has_unknown([context, completed.get("dockerfile")]):
        found = BuildContext.of(completed)
        found.check()
        completed["contextDigest"] = found.digest()
    return completed


def _host_platform() -> str:
    machine = platform.machine()
    return f"linux/{_GO_ARCHITECTURES.get(machine, machine)}"
