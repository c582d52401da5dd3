"""What an engine is told about a container, whoever starts it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

GIB = 1024**3
MIB = 1024**2

NO_NETWORK = "none"
"""Where nothing is to be fetched: nothing can be then, and the start takes less."""
HOST_NETWORK = "host"
"""Where containers of several hosts meet, on ports that they choose themselves."""
HOST_IPC = "host"
"""Shared memory is the host's own (F6)."""

NO_CAPABILITIES = ("ALL",)
"""What every container has to do without: root in it may do what the owner of its files may."""
FOREIGN_FILES = "CAP_DAC_OVERRIDE"
"""Kept where files belong to others: a directory of the host, a device node of another group."""
NO_NEW_PRIVILEGES = "no-new-privileges:true"

SCRATCH = tuple(f"/root/{name}" for name in (".cache", ".config", ".nv", ".triton"))
"""Where libraries put what they compile and remember, beside /tmp."""


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A volume, or a directory of the engine's host, at a path of the container."""

    source: str
    """Name of the volume, or absolute path of the directory."""
    target: str
    read_only: bool = False

    @property
    def type(self) -> str:
        """As the engine calls it: `bind` for a directory of the host, else `volume`."""
        return "bind" if self.source.startswith("/") else "volume"


@dataclass(frozen=True, kw_only=True)
class Port:
    """A container port published on the host."""

    internal: int
    external: int
    bind_address: str
    protocol: Literal["tcp", "udp"] = "tcp"


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """How a container reaches the accelerators of the host; empty on a CPU host (F2, H3, T8)."""

    gpus: str | None = None
    """NVIDIA: `all` or a number of devices, as `docker run --gpus`."""
    devices: tuple[str, ...] = ()
    """Device nodes (ROCm, NPU)."""
    groups: tuple[str, ...] = ()
    host_mounts: tuple[str, ...] = ()
    """Driver files of the host, mounted read-only at the same path (NPU)."""
    environment: Mapping[str, str] = field(default_factory=dict)
    security_opts: tuple[str, ...] = ()

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """The driver files as mounts."""
        return tuple(Mount(source=path, target=path, read_only=True) for path in self.host_mounts)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What no container of the stack may exceed; None where only the host sets an end to it."""

    memory_bytes: int | None = None
    """Swap is none of it."""
    processes: int | None = None
    """Processes and threads."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container, by the names that the engine knows image, volumes and network by."""

    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    ports: tuple[Port, ...] = ()
    network: str = NO_NETWORK
    """Name of a network, or one of the two above."""
    shm_bytes: int = 64 * MIB
    host_ipc: bool = False
    """The host's shared memory in place of its own."""
    accelerator: Accelerator = field(default_factory=Accelerator)
    limits: Limits = Limits()
    read_only_root: bool = False
    """Nothing but its volumes, and scratch space in memory, can be written to."""

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What it keeps of root's powers."""
        is_foreign = any(mount.type == "bind" for mount in self.mounts) or self.accelerator.devices
        return (FOREIGN_FILES,) if is_foreign else ()

    @property
    def security_opts(self) -> tuple[str, ...]:
        """As the engine takes them."""
        return (NO_NEW_PRIVILEGES, *self.accelerator.security_opts)

    @property
    def tmpfs(self) -> Mapping[str, str]:
        """Scratch space by its place, with its options: what is compiled there is loaded, too."""
        return dict.fromkeys(("/tmp", *SCRATCH), "exec") if self.read_only_root else {}  # noqa: S108
