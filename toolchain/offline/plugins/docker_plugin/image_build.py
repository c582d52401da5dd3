"""One build through the engine's API, with either builder.

The official plugin opens a BuildKit session for registry credentials. This one has none: BuildKit
then builds from images that the engine has, and where it would have to ask a registry the build
goes to the classic builder, which the engine gives the credentials with the request.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from toolchain.offline.plugins.docker_plugin.build_context import BuildContext
from toolchain.offline.plugins.docker_plugin.buildkit_trace import trace_lines
from toolchain.offline.plugins.docker_plugin.engine import Engine, explained
from toolchain.offline.plugins.errors import PluginError
from toolchain.offline.plugins.property_values import Properties
from toolchain.offline.plugins.provider import Operation

if TYPE_CHECKING:
    from requests import Response

CLASSIC: Final = "1"
BUILDKIT: Final = "2"
BUILDER_VERSIONS: Final = {"BuilderV1": CLASSIC, "BuilderBuildKit": BUILDKIT}
_NO_SESSION: Final = "no active session"
_LAST_LINES: Final = 30
_TRACE: Final = "moby.buildkit.trace"


class BuildFailedError(PluginError):
    """The engine could not build."""


@dataclass
class _BuildLog:
    """The build's lines: all are shown as they come, and kept in case of an error."""

    operation: Operation
    lines: list[str] = field(default_factory=list)

    def show(self, lines: Iterator[str]) -> None:
        for line in lines:
            text = line.strip()
            if text and self.lines[-1:] != [text]:
                self.lines.append(text)
                self.operation.log.status(text)

    def ending(self) -> str:
        """The last lines for an error, and the file that has them all."""
        prefix = f"image-build-{self.operation.resource_name}-"
        with tempfile.NamedTemporaryFile("w", prefix=prefix, suffix=".log", delete=False) as file:
            file.write("\n".join([*self.lines, ""]))
        last = "".join(f"\n  {line}" for line in self.lines[-_LAST_LINES:])
        return f"the whole log of the build is in {file.name}, its end is:{last}"


def build_image(engine: Engine, operation: Operation, inputs: Properties) -> str:
    """Build and tag an image; returns its id."""
    version = BUILDER_VERSIONS[inputs["build"].get("builderVersion") or "BuilderBuildKit"]
    log = _BuildLog(operation)
    try:
        try:
            return _build(engine, log, inputs, version)
        except BuildFailedError as error:
            if version != BUILDKIT or _NO_SESSION not in str(error):
                raise
            log.show(iter(["a base image is not in the engine: building with the classic builder"]))
            return _build(engine, log, inputs, CLASSIC)
    except BuildFailedError as error:
        msg = f"{error}; {log.ending()}"
        raise PluginError(msg) from error


def _build(engine: Engine, log: _BuildLog, inputs: Properties, version: str) -> str:
    name, build = inputs["imageName"], inputs["build"]
    context = BuildContext.of(build)
    archive, dockerfile = context.archive()
    parameters: dict[str, Any] = {
        "t": name,
        "dockerfile": dockerfile,
        "buildargs": json.dumps(build.get("args") or {}),
        "platform": build.get("platform"),
        "version": version,
        # Unlike the official plugin, nothing of the classic builder's work is left behind.
        "rm": 1,
        "forcerm": 1,
    }
    action = f"unable to build image {name}"
    with explained(action), archive:
        response = engine.client.post(
            f"{engine.client.base_url}/v{engine.client.api_version}/build",
            params={key: value for key, value in parameters.items() if value},
            data=archive,
            headers={"Content-Type": "application/x-tar", "X-Registry-Config": _credentials()},
            stream=True,
        )
        with response:
            image_id = _follow(response, log, action)
    if not image_id:
        msg = f"{action}: no image id found in the build's output"
        raise PluginError(msg)
    return image_id


def _follow(response: Response, log: _BuildLog, action: str) -> str | None:
    """Read the log to its end; returns the image's id."""
    if not response.ok:
        problem = response.json().get("message", response.reason)
        msg = f"{action}: {problem}"
        raise BuildFailedError(msg)
    image_id: str | None = None
    for line in response.iter_lines():
        log.operation.check_cancelled()
        record = json.loads(line)
        if "error" in record:
            msg = f"{action}: {record['error'].strip()}"
            raise BuildFailedError(msg)
        aux = record.get("aux")
        if record.get("id") == _TRACE and isinstance(aux, str):
            log.show(trace_lines(aux))
        elif isinstance(aux, dict) and aux.get("ID"):
            image_id = aux["ID"]
        else:
            log.show(iter((record.get("stream") or record.get("status") or "").splitlines()))
    return image_id


def _credentials() -> str:
    """The registry logins of the operator's own Docker configuration."""
    from docker import auth  # noqa: PLC0415 - slow to import, and only a build needs it

    return str(auth.encode_header(auth.load_config().get_all_credentials()), "ascii")  # type: ignore[no-untyped-call]
