"""What an engine is told about a container, whoever starts it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stack_configs.settings.host import GpuSettings, HostSettings

GIB = 1024**3
MIB = 1024**2


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A volume (by role: data, output, hf_cache, ollama) at a path of the container."""

    volume: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Port:
    """A container port published on the host."""

    internal: int
    external: int
    bind_address: str


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


@dataclass(frozen=True, kw_only=True)
class ContainerPlan:
    """One container. Physical names of image, volumes and network arrive with the resources."""

    image: str
    """Role of the image: llamafactory, converter or ollama."""
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    ports: tuple[Port, ...] = ()
    network: Literal["stack", "none", "host"] = "stack"
    """`none` where nothing is to be fetched: nothing can be then, and the start takes less. `host`
    where containers of several hosts meet, on ports that they choose themselves."""
    shm_bytes: int = 64 * MIB
    accelerator: Accelerator = field(default_factory=Accelerator)


def plan_accelerator(host: HostSettings) -> Accelerator:
    """What the hardware variant needs, as LLaMA-Factory's own compose files declare it (F2)."""
    match host.hardware:
        case "cuda":
            # The engine hands over all devices, which is the one value that the docker provider
            # documents; the variable narrows them down.
            return Accelerator(gpus="all", environment=_visible("CUDA_VISIBLE_DEVICES", host.gpu))
        case "rocm":
            return Accelerator(
                devices=("/dev/kfd", "/dev/dri"),
                groups=("video",),
                security_opts=("seccomp=unconfined",),
                environment=_visible("HIP_VISIBLE_DEVICES", host.gpu),
            )
        case "npu":
            # Ascend has a node per device and no node for all of them: `all` means the first.
            count = 1 if host.gpu.count == "all" else host.gpu.count
            return Accelerator(
                devices=(
                    *(f"/dev/davinci{index}" for index in range(count)),
                    "/dev/davinci_manager",
                    "/dev/devmm_svm",
                    "/dev/hisi_hdc",
                ),
                host_mounts=(
                    "/usr/local/dcmi",
                    "/usr/local/bin/npu-smi",
                    "/usr/local/Ascend/driver",
                    "/etc/ascend_install.info",
                ),
                environment=_visible("ASCEND_RT_VISIBLE_DEVICES", host.gpu),
            )
        case "cpu":
            return Accelerator()


def _visible(variable: str, gpu: GpuSettings) -> dict[str, str]:
    if gpu.count == "all":
        return {}
    return {variable: ",".join(str(index) for index in range(gpu.count))}
