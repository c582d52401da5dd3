"""Settings of the Docker host: where it is, what it must have, how it is checked (H1-H3)."""

from typing import Annotated, Literal

from pydantic import Field

from stack_configs.strict_model import StrictModel

Hardware = Literal["cpu", "cuda", "rocm", "npu"]


class GpuSettings(StrictModel):
    """The accelerators that training and serving may use."""

    count: Annotated[int, Field(ge=1)] | Literal["all"] = "all"
    memory_gb: Annotated[float, Field(gt=0, description="VRAM of one device, GB.")] = 8


class HostMinimumSettings(StrictModel):
    """What the host must at least have. The defaults are the guide's minimum (H1)."""

    cpu_cores: Annotated[int, Field(ge=1)] = 4
    memory_gb: Annotated[float, Field(gt=0)] = 16
    disk_gb: Annotated[float, Field(gt=0, description="Free space at the engine's data root.")] = 50


class HostSettings(StrictModel):
    """The machine that the Docker engine runs on."""

    engine: Annotated[
        str | None,
        Field(
            pattern=r"^(unix|tcp|ssh)://.+$",
            description="Engine address, such as ssh://user@gpu-box. "
            "Unset: DOCKER_HOST or the local socket.",
        ),
    ] = None
    check: Annotated[
        Literal["full", "plan_only"],
        Field(description="plan_only: the engine is not asked anything before `pulumi up`."),
    ] = "full"
    hardware: Hardware = "cuda"
    gpu: GpuSettings = GpuSettings()
    minimum: HostMinimumSettings = HostMinimumSettings()
    shm_size_gb: Annotated[
        float, Field(gt=0, description="Shared memory of training containers (F6).")
    ] = 16
