"""A container's attributes as the engine reports them.

By `resourceDockerContainerRead`. Environment and labels are not read back: the engine mixes them
with the image's own. A container that has stopped although it must run is reported with `mustRun`
false, so that the next update starts it.
"""

from __future__ import annotations

from typing import Any, Final

from toolchain.offline.plugins.docker_plugin.container_request import MIB
from toolchain.offline.plugins.docker_plugin.go_duration import from_nanoseconds
from toolchain.offline.plugins.property_values import Properties

NOT_SERVED: Final[Properties] = {
    "attach": False,
    "deviceReadBps": [],
    "deviceReadIops": [],
    "deviceRequests": [],
    "deviceWriteBps": [],
    "deviceWriteIops": [],
    "logs": False,
    "rm": False,
    "stdinOpen": False,
    "tty": False,
    "ulimits": [],
    "uploads": [],
    "volumes": [],
}
"""What the official state says of attributes that nobody gave."""

_NETWORK_NOT_SERVED: Final[Properties] = {
    **{"aliases": [], "driverOpts": [], "linkLocalIps": []},
    **{"ipv4Address": "", "ipv6Address": "", "macAddress": ""},
}


def read_state(found: dict[str, Any], state: Properties) -> Properties:
    """The state of before, brought up to date from an inspection."""
    config, host, status = found["Config"], found["HostConfig"], found["State"]
    settings = found.get("NetworkSettings") or {}
    running = status["Running"]
    by_digest = str(state.get("image", "")).startswith("sha256:")
    live = {
        **NOT_SERVED,
        "devices": [],
        "envs": [],
        "labels": [],
        "networksAdvanced": [],
        "ports": [],
        "wait": False,
        **state,
        "name": found["Name"].lstrip("/"),
        "image": found["Image"] if by_digest else config["Image"],
        "platform": found.get("Platform", ""),
        "bridge": settings.get("Bridge", ""),
        "networkDatas": _networks(settings),
        **_process(config),
        **_host(host),
    }
    live["networksAdvanced"] = [
        {**_NETWORK_NOT_SERVED, **network} for network in live["networksAdvanced"]
    ]
    if state.get("ports") and (running or state.get("mustRun")):
        live["ports"] = _ports(settings)
    if state.get("devices"):
        with_path = {item["hostPath"] for item in state["devices"] if item.get("containerPath")}
        live["devices"] = [_device(device, with_path) for device in host.get("Devices") or []]
    if state.get("gpus"):
        live["gpus"] = _gpus(host.get("DeviceRequests") or [], state["gpus"])
    if dropped_or_added := _capabilities(host):
        live["capabilities"] = dropped_or_added
    if state.get("logOpts"):
        live["logOpts"] = host["LogConfig"].get("Config") or {}
    if host.get("Tmpfs"):
        live["tmpfs"] = host["Tmpfs"]
    if not running:
        live["exitCode"] = status["ExitCode"]
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


def _host(host: dict[str, Any]) -> Properties:
    swap = host.get("MemorySwap", 0)
    return {
        "restart": host["RestartPolicy"]["Name"],
        "maxRetryCount": host["RestartPolicy"]["MaximumRetryCount"],
        "memory": host.get("Memory", 0) // MIB,
        "memoryReservation": host.get("MemoryReservation", 0) // MIB,
        "memorySwap": swap // MIB if swap > 0 else swap,
        "readOnly": host.get("ReadonlyRootfs", False),
        "shmSize": host.get("ShmSize", 0) // MIB,
        "cpuShares": host.get("CpuShares", 0),
        "cpuSet": host.get("CpusetCpus", ""),
        "privileged": host.get("Privileged", False),
        "publishAllPorts": host.get("PublishAllPorts", False),
        "init": host.get("Init") or False,
        "runtime": host.get("Runtime", ""),
        "securityOpts": host.get("SecurityOpt") or [],
        "ipcMode": host.get("IpcMode", ""),
        "usernsMode": host.get("UsernsMode", ""),
        "groupAdds": host.get("GroupAdd") or [],
        "networkMode": host["NetworkMode"],
        "logDriver": host["LogConfig"]["Type"],
        "hosts": host.get("ExtraHosts") or [],
        "mounts": [_mount(mount) for mount in host.get("Mounts") or []],
    }


def _capabilities(host: dict[str, Any]) -> Properties:
    found = {"adds": host.get("CapAdd") or [], "drops": host.get("CapDrop") or []}
    return found if any(found.values()) else {}


def _mount(mount: dict[str, Any]) -> Properties:
    return {
        "type": mount["Type"],
        "target": mount["Target"],
        "source": mount.get("Source", ""),
        "readOnly": mount.get("ReadOnly", False),
    }


def _device(device: dict[str, str], with_path: set[str]) -> Properties:
    described = {"hostPath": device["PathOnHost"], "permissions": device["CgroupPermissions"]}
    if device["PathOnHost"] in with_path:
        described["containerPath"] = device["PathInContainer"]
    return described


def _gpus(requests: list[dict[str, Any]], given: str) -> str:
    """`all` is read back; a number cannot be told from other requests and stays as it was given."""
    if not requests:
        return ""
    return "all" if requests[0].get("Count") == -1 else given


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
            "globalIpv6Address": network.get("GlobalIPv6Address", ""),
            "globalIpv6PrefixLength": network.get("GlobalIPv6PrefixLen", 0),
            "ipv6Gateway": network.get("IPv6Gateway", ""),
        }
        for name, network in sorted((settings.get("Networks") or {}).items())
    ]
