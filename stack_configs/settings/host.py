"""Settings of the Docker host: where it is, what it must have, how it is checked (H1-H3)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import Port, StrictModel

Hardware = Literal["cpu", "cuda", "rocm", "npu"]


class GpuSettings(StrictModel):
    """The accelerators that training and serving may use."""

    count: Annotated[int, Field(ge=1)] | Literal["all"] = "all"
    memory_gb: Annotated[float, Field(gt=0, description="VRAM of one device, GB.")] = 8


class ClusterSettings(StrictModel):
    """Several hosts that train the same runs together, each from a stack of its own (T8).

    Their settings differ in `rank` alone. Each run waits until every host has begun it, and leaves
    its result on every host.
    """

    nodes: Annotated[int, Field(ge=2, description="Hosts that train together.")]
    rank: Annotated[int, Field(ge=0, description="Which of them this one is; 0 leads.")]
    master_address: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9.:-]+$", description="Where the others reach the host of rank 0."
        ),
    ]
    master_port: Port = 29500

    @model_validator(mode="after")
    def _rank_of_a_node(self) -> Self:
        if self.rank >= self.nodes:
            raise rule_error(
                f"rank {self.rank} is none of {self.nodes} nodes",
                f"number them from 0 to {self.nodes - 1}",
            )
        return self


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
    cluster: ClusterSettings | None = None
    minimum: HostMinimumSettings = HostMinimumSettings()
    shm_size_gb: Annotated[
        float, Field(gt=0, description="Shared memory of training containers (F6).")
    ] = 16
