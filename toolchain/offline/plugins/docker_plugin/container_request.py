"""A container's attributes as the body of the engine's create request.

By `resourceDockerContainerCreate`: what is empty is not sent, except `Init`, which always is.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from toolchain.offline.plugins.docker_plugin.bridged import labels_to_map
from toolchain.offline.plugins.docker_plugin.go_duration import to_nanoseconds
from toolchain.offline.plugins.docker_plugin.gpu_request import parse_gpus
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
        "Hostname": inputs.get("hostname"),
        "Domainname": inputs.get("domainname"),
        "Tty": inputs["tty"],
        "OpenStdin": inputs["stdinOpen"],
        "StopSignal": inputs.get("stopSignal"),
        "StopTimeout": inputs.get("stopTimeout"),
        "Env": inputs.get("envs"),
        "Cmd": inputs.get("command"),
        "Entrypoint": inputs.get("entrypoints"),
        "User": inputs.get("user"),
        "WorkingDir": inputs.get("workingDir"),
        "Labels": labels_to_map(inputs.get("labels")),
        "ExposedPorts": {key: {} for key in _port_bindings(inputs)},
        "Volumes": {volume["containerPath"]: {} for volume in _path_volumes(inputs)},
        "Healthcheck": _healthcheck(inputs.get("healthcheck")),
    }
    return {**_without_empty(request), "HostConfig": _host_config(inputs)}


def _host_config(inputs: Properties) -> dict[str, Any]:
    capabilities = inputs.get("capabilities", {})
    security = inputs.get("securityOpts", [])
    config = {
        "Privileged": inputs.get("privileged"),
        "RestartPolicy": {
            "Name": inputs["restart"],
            "MaximumRetryCount": inputs.get("maxRetryCount", 0),
        },
        "Runtime": inputs.get("runtime"),
        "Mounts": [_mount(mount) for mount in inputs.get("mounts", [])],
        "AutoRemove": inputs["rm"],
        "ReadonlyRootfs": inputs["readOnly"],
        "LogConfig": _without_empty(
            {"Type": inputs.get("logDriver"), "Config": inputs.get("logOpts")}
        ),
        "Tmpfs": inputs.get("tmpfs"),
        "PortBindings": _port_bindings(inputs),
        "ExtraHosts": [f"{item['host']}:{item['ip']}" for item in inputs.get("hosts", [])],
        "Binds": _binds(inputs),
        "VolumesFrom": _volumes_from(inputs),
        "Ulimits": [
            {"Name": limit["name"], "Soft": limit["soft"], "Hard": limit["hard"]}
            for limit in inputs.get("ulimits", [])
        ],
        "CapAdd": capabilities.get("adds"),
        "CapDrop": capabilities.get("drops"),
        "Devices": [_device(device) for device in inputs.get("devices", [])],
        "DeviceRequests": [parse_gpus(inputs["gpus"])] if inputs.get("gpus") else None,
        "SecurityOpt": [option for option in security if option != _UNCONFINED_PATHS],
        "Memory": inputs.get("memory", 0) * MIB,
        "MemoryReservation": inputs.get("memoryReservation", 0) * MIB,
        "MemorySwap": swap_bytes(inputs.get("memorySwap", 0)),
        "ShmSize": inputs.get("shmSize", 0) * MIB,
        "NanoCpus": int(Fraction(inputs.get("cpus") or 0) * 10**9),
        "CpuShares": inputs.get("cpuShares"),
        "CpusetCpus": inputs.get("cpuSet"),
        "NetworkMode": inputs["networkMode"],
        "Sysctls": inputs.get("sysctls"),
        "IpcMode": inputs.get("ipcMode"),
        "GroupAdd": inputs.get("groupAdds"),
    }
    paths: dict[str, list[str]] = (
        {"MaskedPaths": [], "ReadonlyPaths": []} if _UNCONFINED_PATHS in security else {}
    )
    return {**_without_empty(config), **paths, "Init": inputs.get("init", False)}


def swap_bytes(mebibytes: int) -> int:
    """Swap in bytes; -1 is no limit and not a size."""
    return mebibytes * MIB if mebibytes > 0 else mebibytes


def _without_empty(request: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in request.items() if value not in (None, "", 0, False, [], {})
    }


def _port_bindings(inputs: Properties) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in inputs.get("ports", []):
        key = f"{port['internal']}/{port['protocol']}"
        # Port 0 lets the engine choose one.
        binding = {"HostIp": port["ip"], "HostPort": str(port.get("external", 0))}
        bindings.setdefault(key, []).append(binding)
    return bindings


def _path_volumes(inputs: Properties) -> list[Properties]:
    volumes: list[Properties] = inputs.get("volumes", [])
    for volume in volumes:
        if bool(volume.get("containerPath")) == bool(volume.get("fromContainer")):
            msg = f"volumes: {volume} has to have either a containerPath or a fromContainer"
            raise PluginError(msg)
    return [volume for volume in volumes if volume.get("containerPath")]


def _binds(inputs: Properties) -> list[str]:
    binds = []
    for volume in _path_volumes(inputs):
        source = volume.get("hostPath") or volume.get("volumeName")
        if source:
            mode = "ro" if volume.get("readOnly") else "rw"
            binds.append(f"{source}:{volume['containerPath']}:{mode}")
    return binds


def _volumes_from(inputs: Properties) -> list[str]:
    volumes = inputs.get("volumes", [])
    return [volume["fromContainer"] for volume in volumes if volume.get("fromContainer")]


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


def _healthcheck(check: Properties | None) -> dict[str, Any] | None:
    if not check:
        return None
    return {
        "Test": check.get("tests", []),
        **_without_empty(
            {
                "Interval": to_nanoseconds(check["interval"]),
                "Timeout": to_nanoseconds(check["timeout"]),
                "StartPeriod": to_nanoseconds(check["startPeriod"]),
                "StartInterval": to_nanoseconds(check["startInterval"]),
                "Retries": check["retries"],
            }
        ),
    }
