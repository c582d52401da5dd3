"""The steps between a container that exists and one that is up."""

from __future__ import annotations

import base64
import io
import tarfile
import threading
import time
from pathlib import Path
from typing import Any, Final, Literal

from toolchain.offline.plugins.docker_plugin.engine import Engine, explained
from toolchain.offline.plugins.errors import PluginError
from toolchain.offline.plugins.property_values import Properties
from toolchain.offline.plugins.provider import Operation

_HEALTH_PAUSE_SECONDS: Final = 0.5
_LAST_LOG_LINES: Final = 20
_CONTENT_SOURCES: Final = ("content", "contentBase64", "source")


def connect_networks(engine: Engine, container_id: str, inputs: Properties) -> None:
    """Move the container from the default network to those of `networksAdvanced`."""
    networks = inputs.get("networksAdvanced", [])
    if not networks:
        return
    try:
        with explained("unable to disconnect the default network"):
            engine.client.disconnect_container_from_network(container_id, "bridge")
    except PluginError as error:
        if "is not connected to" not in str(error):
            raise
    for network in networks:
        with explained(f"unable to connect to network {network['name']}"):
            engine.client.connect_container_to_network(
                container_id,
                network["name"],
                aliases=network.get("aliases"),
                ipv4_address=network.get("ipv4Address"),
            )


def upload_files(engine: Engine, container_id: str, inputs: Properties) -> None:
    """Put the files of `uploads` into the container, before it starts."""
    for upload in inputs.get("uploads", []):
        with explained(f"unable to upload {upload['file']}"):
            engine.client.put_archive(container_id, "/", _archive(upload))


def _archive(upload: Properties) -> bytes:
    given = [key for key in _CONTENT_SOURCES if upload.get(key)]
    if len(given) != 1:
        msg = (
            f"uploads: {upload['file']} has to have exactly one of {', '.join(_CONTENT_SOURCES)}, "
            f"got {', '.join(given) or 'none'}"
        )
        raise PluginError(msg)
    match given[0]:
        case "content":
            content = upload["content"].encode()
        case "contentBase64":
            content = base64.b64decode(upload["contentBase64"])
        case _:
            content = Path(upload["source"]).read_bytes()
    entry = tarfile.TarInfo(upload["file"].lstrip("/"))
    entry.size = len(content)
    entry.mtime = int(time.time())
    entry.mode = 0o744 if upload["executable"] else 0o644
    if upload.get("permissions"):
        entry.mode = int(upload["permissions"], 8)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def wait_until_healthy(
    engine: Engine, operation: Operation, container_id: str, timeout_seconds: int
) -> None:
    """Wait for the container's own health check to succeed.

    The official plugin waits out the whole time-out for a container that has already ended; this
    one says so at once, with the container's last words.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        with explained("error inspecting container state"):
            found = engine.client.inspect_container(container_id)
        status = found["State"]
        if not status.get("Health"):
            msg = (
                "wait is set, but the container has no health check: "
                "remove wait or add a healthcheck"
            )
            raise PluginError(msg)
        health = status["Health"]["Status"]
        if health == "healthy":
            return
        ended = status["Status"] in ("exited", "dead") and not _restarts(found)
        if ended or time.monotonic() > deadline:
            cause = (
                f"it ended with exit code {status['ExitCode']}"
                if ended
                else f"after {timeout_seconds} s (waitTimeout) it is {health}"
            )
            msg = f"container failed to be in healthy state: {cause}\n"
            raise PluginError(msg + _last_words(engine, container_id, status))
        operation.log.status(f"waiting for the health check, it is {health}")
        operation.sleep(_HEALTH_PAUSE_SECONDS)


def wait_for_end(
    engine: Engine, operation: Operation, container_id: str, inputs: Properties
) -> str | None:
    """Wait for the container to end; with `logs` set, return what it wrote."""
    problems: list[PluginError] = []

    def wait() -> None:
        try:
            with explained("unable to wait for the container's end"):
                engine.client.wait(container_id)
        except PluginError as error:
            problems.append(error)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    while waiting.is_alive():
        operation.check_cancelled()
        waiting.join(0.1)
    if problems:
        raise problems[0]
    return _logs(engine, container_id) if inputs["logs"] else None


def _logs(engine: Engine, container_id: str, last: int | Literal["all"] = "all") -> str:
    with explained("unable to read container logs"):
        written: bytes = engine.client.logs(container_id, tail=last)
    return written.decode(errors="replace")


def _restarts(found: dict[str, Any]) -> bool:
    return str(found["HostConfig"]["RestartPolicy"]["Name"]) not in ("", "no")


def _last_words(engine: Engine, container_id: str, status: dict[str, Any]) -> str:
    checks = status["Health"].get("Log") or []
    probe = f"last check: {checks[-1]['Output'].strip()}\n" if checks else ""
    try:
        return probe + _logs(engine, container_id, _LAST_LOG_LINES)
    except PluginError:
        return probe
