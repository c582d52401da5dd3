"""What there is on an engine at one moment: all questions at the same time."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.docker.containers import Summary
from runtime.docker.engine import Engine, in_parallel

# Decimal, as memory and disks are sold: a host "with 16 GB" shows 15.6 GiB.
GB = 1000**3

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""As images name them, by what the kernel calls a machine."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The engine's own words."""

    info: Mapping[str, Any]
    containers: list[Summary]
    volumes: Mapping[str, Mapping[str, Any]]
    """By name."""
    networks: Mapping[str, Mapping[str, Any]]
    """By name."""
    disk_free: int | None
    """Bytes at the engine's data root; None when that cannot be seen from here."""

    @property
    def platform(self) -> str:
        """What the engine runs, as images name it."""
        machine = str(self.info.get("Architecture"))
        return f"{self.info.get('OSType', 'linux')}/{ARCHITECTURES.get(machine, machine)}"

    @property
    def runtimes(self) -> tuple[str, ...]:
        """Container runtimes that the engine knows."""
        return tuple(sorted(self.info.get("Runtimes") or ()))

    @property
    def cdi_devices(self) -> tuple[str, ...]:
        """Devices that the engine found in CDI specifications."""
        return tuple(str(each.get("ID")) for each in self.info.get("DiscoveredDevices") or ())


def take_snapshot(engine: Engine) -> Snapshot:
    """Ask the engine for everything at once. Raises `EngineUnreachableError`."""
    with engine.calls() as api:
        info, containers, volumes, networks = in_parallel(
            [api.info, lambda: api.containers(all=True), api.volumes, api.networks]
        )
    return Snapshot(
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
