"""What there is on a host: one look at its engine, all questions at the same time."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.docker.containers import Summary
from runtime.docker.engine import Engine, in_parallel

# Decimal, as memory and disks are sold: a host "with 16 GB" shows 15.6 GiB.
GB = 1000**3


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """One look."""

    info: Mapping[str, Any]
    containers: list[Summary]
    volumes: Mapping[str, Mapping[str, Any]]
    """By name."""
    networks: Mapping[str, Mapping[str, Any]]
    """By name."""
    disk_free: int | None
    """Bytes at the engine's data root; None when that cannot be seen from here."""

    @property
    def runtimes(self) -> list[str]:
        """Container runtimes that the engine knows."""
        return sorted(self.info.get("Runtimes") or ())

    @property
    def cdi_devices(self) -> list[str]:
        """Devices that the engine found in CDI specifications."""
        return [str(device.get("ID")) for device in self.info.get("DiscoveredDevices") or ()]

    def summary(self, unchecked: list[str]) -> dict[str, Any]:
        """The facts that are told on, and what could not be looked at from here."""
        free = self.disk_free
        return {
            "engine_version": self.info.get("ServerVersion"),
            "cpu_cores": self.info.get("NCPU"),
            "memory_gb": round(self.info.get("MemTotal", 0) / GB, 1),
            "disk_free_gb": None if free is None else round(free / GB, 1),
            "runtimes": self.runtimes,
            "unchecked": unchecked,
        }


def look(engine: Engine) -> HostFacts:
    """Ask the engine for everything at once. Raises `EngineUnreachableError`."""
    with engine.calls() as api:
        info, containers, volumes, networks = in_parallel(
            [api.info, lambda: api.containers(all=True), api.volumes, api.networks]
        )
    return HostFacts(
        info=info,
        containers=containers,
        volumes={volume["Name"]: volume for volume in volumes.get("Volumes") or ()},
        networks={network["Name"]: network for network in networks},
        disk_free=_disk_free(info["DockerRootDir"]) if engine.is_local else None,
    )


def _disk_free(data_root: str) -> int | None:
    folder = Path(data_root)
    try:
        usage = os.statvfs(folder)
    except OSError:
        # The socket leads to an engine with a file system of its own (a virtual machine).
        return None
    return usage.f_bavail * usage.f_frsize
