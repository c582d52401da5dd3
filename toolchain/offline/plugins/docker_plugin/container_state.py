"""A container's attributes as the engine reports them.

By `resourceDockerContainerRead`. Environment, labels and volumes are not read back: the engine
mixes them with the image's own. A container that has stopped although it must run is reported
with `mustRun` false, so that the next update starts it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from toolchain.offline.plugins.docker_plugin.container_request import MIB
from toolchain.offline.plugins.docker_plugin.go_duration import from_nanoseconds
from toolchain.offline.plugins.docker_plugin.gpu_request import describe_gpus
from toolchain.offline.plugins.property_values import Properties


def read_state(found: dict[str, Any], state: Properties) -> Properties:
    """The state of before, brought up to date from an inspection."""
    config, host, status = found["Config"], found["HostConfig"], found["State"]
    settings = found.get("NetworkSettings") or {}
    by_digest = str(state.get("image", "")).startswith("sha256:")
    live = {
        **state,
        "name": found["Name"].lstrip("/"),
        "image": found["Image"] if by_digest else config["Image"],
        "bridge": settings.get("Bridge", ""),
        "networkDatas": _networks(settings),
        **_process(config),
        **_limits(host),
        **_isolation(host),
    }
    _read_where_given(live, host)
    running = status["Running"]
    if not running:
        live["exitCode"] = status["ExitCode"]
    if live.get("ports") and (running or live.get("mustRun")):
        live["ports"] = _ports(settings)
    if not running and live.get("mustRun"):
        live["mustRun"] = False
    return live


def _process(config: dict[str, Any]) -> Properties:
    state: Properties = {
        "hostname": config.get("Hostname", ""),
        "domainname": config.get("Domainname", ""),
        "command": config.get("Cmd") or [],
        "entrypoints": config.get("Entrypoint") or [],
        "user": config.get("User", ""),
        "workingDir": config.get("WorkingDir", ""),
        "tty": config.get("Tty", False),
        "stdinOpen": config.get("OpenStdin", False),
        "stopSignal": config.get("StopSignal", ""),
        "stopTimeout": config.get("StopTimeout") or 0,
    }
    check = config.get("Healthcheck")
    if check:
        state["healthcheck"] = {
            "tests": check.get("Test") or [],
            "interval": from_nanoseconds(check.get("Interval", 0)),
            "timeout": from_nanoseconds(check.get("Timeout", 0)),
            "startPeriod": from_nanoseconds(check.get("StartPeriod", 0)),
            "startInterval": from_nanoseconds(check.get("StartInterval", 0)),
            "retries": check.get("Retries", 0),
        }
    return state


def _limits(host: dict[str, Any]) -> Properties:
    swap = host.get("MemorySwap", 0)
    state: Properties = {
        "restart": host["RestartPolicy"]["Name"],
        "maxRetryCount": host["RestartPolicy"]["MaximumRetryCount"],
        "memory": host.get("Memory", 0) // MIB,
        "memoryReservation": host.get("MemoryReservation", 0) // MIB,
        "memorySwap": swap // MIB if swap > 0 else swap,
        "shmSize": host.get("ShmSize", 0) // MIB,
        "cpuShares": host.get("CpuShares", 0),
        "cpuSet": host.get("CpusetCpus", ""),
    }
    if host.get("NanoCpus"):
        state["cpus"] = _decimal_cpus(host["NanoCpus"])
    return state


def _isolation(host: dict[str, Any]) -> Properties:
    state: Properties = {
        "rm": host.get("AutoRemove", False),
        "readOnly": host.get("ReadonlyRootfs", False),
        "privileged": host.get("Privileged", False),
        "init": host.get("Init") or False,
        "runtime": host.get("Runtime", ""),
        "securityOpts": host.get("SecurityOpt") or [],
        "sysctls": host.get("Sysctls") or {},
        "ipcMode": host.get("IpcMode", ""),
        "groupAdds": host.get("GroupAdd") or [],
        "tmpfs": host.get("Tmpfs") or {},
        "networkMode": host["NetworkMode"],
        "logDriver": host["LogConfig"]["Type"],
        "mounts": [_mount(mount) for mount in host.get("Mounts") or []],
        "hosts": [_host(entry) for entry in host.get("ExtraHosts") or []],
    }
    if host.get("CapAdd") or host.get("CapDrop"):
        state["capabilities"] = {
            "adds": host.get("CapAdd") or [],
            "drops": host.get("CapDrop") or [],
        }
    return state


def _read_where_given(state: Properties, host: dict[str, Any]) -> None:
    """Bring up to date what is only read back when the program gave it."""
    if state.get("ulimits"):
        state["ulimits"] = [
            {"name": limit["Name"], "soft": limit["Soft"], "hard": limit["Hard"]}
            for limit in host.get("Ulimits") or []
        ]
    if state.get("logOpts"):
        state["logOpts"] = host["LogConfig"].get("Config") or {}
    if state.get("gpus"):
        described = describe_gpus(host.get("DeviceRequests") or [])
        state["gpus"] = state["gpus"] if described is None else described
    if state.get("devices"):
        with_path = {item["hostPath"] for item in state["devices"] if item.get("containerPath")}
        state["devices"] = [_device(device, with_path) for device in host.get("Devices") or []]


def _device(device: dict[str, str], with_path: set[str]) -> Properties:
    described = {"hostPath": device["PathOnHost"], "permissions": device["CgroupPermissions"]}
    if device["PathOnHost"] in with_path:
        described["containerPath"] = device["PathInContainer"]
    return described


def _mount(mount: dict[str, Any]) -> Properties:
    return {
        "type": mount["Type"],
        "target": mount["Target"],
        "source": mount.get("Source", ""),
        "readOnly": mount.get("ReadOnly", False),
    }


def _host(entry: str) -> Properties:
    host, _, address = entry.partition(":")
    return {"host": host, "ip": address}


def _ports(settings: dict[str, Any]) -> list[Properties]:
    ports = []
    for key, bindings in (settings.get("Ports") or {}).items():
        internal, _, protocol = key.partition("/")
        for binding in bindings or []:
            ports.append(
                {
                    "internal": int(internal),
                    "external": int(binding["HostPort"]),
                    "ip": binding["HostIp"],
                    "protocol": protocol,
                }
            )
    return sorted(ports, key=lambda port: port["internal"])


def _networks(settings: dict[str, Any]) -> list[Properties]:
    return [
        {
            "networkName": name,
            "ipAddress": network.get("IPAddress", ""),
            "ipPrefixLength": network.get("IPPrefixLen", 0),
            "gateway": network.get("Gateway", ""),
            "macAddress": network.get("MacAddress", ""),
        }
        for name, network in sorted((settings.get("Networks") or {}).items())
    ]


def _decimal_cpus(nano: int) -> str:
    """Write processors as the official plugin does: `1.0`, `0.5`, `1.25`."""
    text = format(Decimal(nano) / 10**9, "f")
    if "." not in text:
        return f"{text}.0"
    return text.rstrip("0")
