"""The steps between a container that exists and one that is up."""

from __future__ import annotations

import time
from typing import Any, Final

from toolchain.offline.plugins.docker_plugin.engine import Engine, explained
from toolchain.offline.plugins.errors import PluginError
from toolchain.offline.plugins.property_values import Properties
from toolchain.offline.plugins.provider import Operation

_HEALTH_PAUSE_SECONDS: Final = 0.5
_LAST_LOG_LINES: Final = 20


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
            engine.client.connect_container_to_network(container_id, network["name"])


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
                "you have supplied a 'wait' argument, but the container does not have a "
                "healthcheck defined: remove wait or add a healthcheck"
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


def _restarts(found: dict[str, Any]) -> bool:
    return str(found["HostConfig"]["RestartPolicy"]["Name"]) not in ("", "no")


def _last_words(engine: Engine, container_id: str, status: dict[str, Any]) -> str:
    checks = status["Health"].get("Log") or []
    probe = f"last check: {checks[-1]['Output'].strip()}\n" if checks else ""
    try:
        with explained("unable to read container logs"):
            written: bytes = engine.client.logs(container_id, tail=_LAST_LOG_LINES)
    except PluginError:
        return probe
    return probe + written.decode(errors="replace")
