"""A container's attributes as the body of the engine's create request.

By `resourceDockerContainerCreate`: what is empty is not sent, except `Init`, which always is.
"""

from __future__ import annotations

from typing import Any

from toolchain.offline.plugins.docker_plugin.bridged import labels_to_map
from toolchain.offline.plugins.docker_plugin.go_duration import to_nanoseconds
from toolchain.offline.plugins.errors import PluginError
from toolchain.offline.plugins.property_values import Properties

MIB = 1024 * 1024
_UNCONFINED_PATHS = "systempaths=unconfined"


def create_request(inputs: Properties) -> dict[str, Any]:
    """The whole request; the container's name travels beside it."""
    if "" in inputs.get("command", []):
        msg = "command: no part of it may be empty"
        raise PluginError(msg)
    request = {
        "Image": inputs["image"],
        "Env": inputs.get("envs"),
        "Cmd": inputs.get("command"),
        "Labels": labels_to_map(inputs.get("labels")),
        "ExposedPorts": {key: {} for key in _port_bindings(inputs)},
        "Healthcheck": _healthcheck(inputs.get("healthcheck")),
    }
    return {**_without_empty(request), "HostConfig": _host_config(inputs)}


def _host_config(inputs: Properties) -> dict[str, Any]:
    security = inputs.get("securityOpts", [])
    capabilities = inputs.get("capabilities") or {}
    swap = inputs.get("memorySwap", 0)
    config = {
        "RestartPolicy": {"Name": inputs["restart"], "MaximumRetryCount": 0},
        "Mounts": [_mount(mount) for mount in inputs.get("mounts", [])],
        "PortBindings": _port_bindings(inputs),
        "Devices": [_device(device) for device in inputs.get("devices", [])],
        "DeviceRequests": _gpus(inputs.get("gpus")),
        "SecurityOpt": [option for option in security if option != _UNCONFINED_PATHS],
        "CapAdd": capabilities.get("adds"),
        "CapDrop": capabilities.get("drops"),
        "ReadonlyRootfs": inputs.get("readOnly"),
        "Tmpfs": inputs.get("tmpfs"),
        "IpcMode": inputs.get("ipcMode"),
        "LogConfig": _log(inputs),
        "Memory": inputs.get("memory", 0) * MIB,
        "MemorySwap": swap * MIB if swap > 0 else swap,
        "ShmSize": inputs.get("shmSize", 0) * MIB,
        "NetworkMode": inputs["networkMode"],
        "GroupAdd": inputs.get("groupAdds"),
    }
    paths: dict[str, list[str]] = (
        {"MaskedPaths": [], "ReadonlyPaths": []} if _UNCONFINED_PATHS in security else {}
    )
    return {**_without_empty(config), **paths, "Init": False}


def _log(inputs: Properties) -> dict[str, Any] | None:
    """Left out, the engine's own driver with its own options."""
    if not inputs.get("logDriver"):
        return None
    return {"Type": inputs["logDriver"], "Config": inputs.get("logOpts") or {}}


def _without_empty(request: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in request.items() if value not in (None, "", 0, [], {})}


def _port_bindings(inputs: Properties) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in inputs.get("ports", []):
        key = f"{port['internal']}/{port['protocol']}"
        # Port 0 lets the engine choose one.
        binding = {"HostIp": port["ip"], "HostPort": str(port.get("external", 0))}
        bindings.setdefault(key, []).append(binding)
    return bindings


def _mount(mount: Properties) -> dict[str, Any]:
    return {
        "Type": mount["type"],
        "Target": mount["target"],
        "Source": mount.get("source", ""),
        "ReadOnly": mount.get("readOnly", False),
    }


def _device(device: Properties) -> dict[str, str]:
    return {
        "PathOnHost": device["hostPath"],
        "PathInContainer": device.get("containerPath") or device["hostPath"],
        "CgroupPermissions": device["permissions"],
    }


def _gpus(value: str | None) -> list[dict[str, Any]]:
    """`all` or a number of GPUs, as `docker run --gpus` asks for them."""
    if not value:
        return []
    count = -1 if value == "all" else int(value)
    return [{"Count": count, "Capabilities": [["gpu"]], "Options": {}}]


def _healthcheck(check: Properties | None) -> dict[str, Any] | None:
    if not check:
        return None
    durations = {
        "Interval": to_nanoseconds(check["interval"]),
        "Timeout": to_nanoseconds(check["timeout"]),
        "StartPeriod": to_nanoseconds(check["startPeriod"]),
        "Retries": check.get("retries"),
    }
    return {"Test": check.get("tests", []), **_without_empty(durations)}
