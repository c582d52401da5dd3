"""One build through the engine's API, with either builder.

The official plugin opens a BuildKit session for registry credentials. This one has none: BuildKit
then builds from images that the engine has, and where it would have to ask a registry the build
goes to the classic builder, which the engine gives the credentials with the request.
"""

from __future__ import annotations

import json
from collections import deque
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
    """The build's lines: all are shown as they come, the last are kept for an error."""

    operation: Operation
    last: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_LINES))

    def show(self, lines: Iterator[str]) -> None:
        for line in lines:
            text = line.strip()
            if text and (not self.last or self.last[-1] != text):
                self.last.append(text)
                self.operation.log.status(text)


def build_image(engine: Engine, operation: Operation, inputs: Properties) -> str:
    """Build and tag an image; returns its id."""
    version = BUILDER_VERSIONS[inputs["build"].get("builderVersion") or "BuilderBuildKit"]
    try:
        return _build(engine, operation, inputs, version)
    except BuildFailedError as error:
        if version != BUILDKIT or _NO_SESSION not in str(error):
            raise
        operation.log.info("a base image is not in the engine: building with the classic builder")
        return _build(engine, operation, inputs, CLASSIC)


def _build(engine: Engine, operation: Operation, inputs: Properties, version: str) -> str:
    name, build = inputs["imageName"], inputs["build"]
    context = BuildContext.of(build)
    archive, dockerfile = context.archive()
    parameters: dict[str, Any] = {
        "t": name,
        "dockerfile": dockerfile,
        "buildargs": json.dumps(build.get("args") or {}),
        "cachefrom": json.dumps((build.get("cacheFrom") or {}).get("images") or []),
        "platform": build.get("platform"),
        "target": build.get("target"),
        "networkmode": build.get("network"),
        "extrahosts": ",".join(build.get("addHosts") or []) or None,
        "version": version,
        # Unlike the official plugin, nothing of the classic builder's work is left behind.
        "rm": 1,
        "forcerm": 1,
    }
    log = _BuildLog(operation)
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
            image_id = _follow(response, operation, log, action)
    if not image_id:
        msg = f"{action}: no image id found in the build's output"
        raise PluginError(msg)
    return image_id


def _follow(response: Response, operation: Operation, log: _BuildLog, action: str) -> str | None:
    """Read the log to its end; returns the image's id."""
    if not response.ok:
        problem = response.json().get("message", response.reason)
        msg = f"{action}: {problem}"
        raise BuildFailedError(msg)
    image_id: str | None = None
    for line in response.iter_lines():
        operation.check_cancelled()
        record = json.loads(line)
        if "error" in record:
            output = "".join(f"\n  {text}" for text in log.last)
            msg = f"{action}: {record['error'].strip()}{output}"
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
