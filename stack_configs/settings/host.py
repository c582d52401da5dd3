"""Settings of the Docker host: where it is, what it must have, how it is checked (H1-H3)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from stack_configs.settings.rule import rule_error
from stack_configs.settings.strict_model import Count, EngineAddress, Gigabytes, Port, StrictModel

MOST_DEVICES = 1024
"""Far more than a host has; a container is told each of them by its number."""

Hardware = Literal["cpu", "cuda", "rocm", "npu"]


class GpuSettings(StrictModel):
    """The accelerators that training and serving may use."""

    count: Annotated[
        Annotated[int, Field(ge=1, le=MOST_DEVICES)] | Literal["all"],
        Field(description="Devices to use, from the first on. With hardware npu, a number."),
    ] = "all"
    memory_gb: Annotated[
        Gigabytes | None,
        Field(
            description="Memory of one device, GB, for the estimates. Unset: as the driver tells.",
        ),
    ] = None
    while_training: Annotated[
        Literal["free", "share"],
        Field(
            description="What becomes of the memory that serving holds. free: for each run Ollama "
            "unloads its models and the API stops. share: both keep theirs."
        ),
    ] = "free"


class ClusterSettings(StrictModel):
    """Several hosts that train the same runs together, each from a stack of its own (T8).

    Their settings differ in `rank` alone. Each run waits until every host has begun it, and leaves
    its result on every host.
    """

    nodes: Annotated[int, Field(ge=2, le=100_000, description="Hosts that train together.")]
    rank: Annotated[int, Field(ge=0, description="Which of them this one is; 0 leads.")]
    master_address: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9:][A-Za-z0-9.:-]{0,252}$",
            description="Where the others reach the host of rank 0.",
        ),
    ]
    master_port: Annotated[Port, Field(description="Port there; the same on every host.")] = 29500

    @model_validator(mode="after")
    def _rank_of_a_node(self) -> Self:
        if self.rank >= self.nodes:
            raise rule_error(
                f"rank {self.rank} is none of {self.nodes} nodes",
                f"number them from 0 to {self.nodes - 1}",
            )
        return self


class HostMinimumSettings(StrictModel):
    """What the host must have, or is refused. Unset: the guide's minimum, as advice (H1)."""

    cpu_cores: Annotated[
        Count | None, Field(description="CPU cores that the engine has. Guide: 4.")
    ] = None
    memory_gb: Annotated[
        Gigabytes | None, Field(description="Memory of the host, GB. Guide: 16.")
    ] = None
    disk_gb: Annotated[
        Gigabytes | None, Field(description="Free at the engine's data root, GB. Guide: 50.")
    ] = None


class LimitsSettings(StrictModel):
    """What no container of the stack may exceed."""

    memory_gb: Annotated[
        Gigabytes | None,
        Field(
            ge=0.1,
            description="Memory of each container, GB; one that needs more is ended. Unset: the "
            "host's.",
        ),
    ] = None
    processes: Annotated[
        int,
        Field(ge=64, le=4_194_304, description="Processes and threads of each step's container."),
    ] = 16384


class HostSettings(StrictModel):
    """The machine that the Docker engine runs on."""

    engine: Annotated[
        EngineAddress | None,
        Field(
            description="Engine address, such as ssh://user@gpu-box. "
            "Unset: DOCKER_HOST, else the docker client's current context.",
            examples=["ssh://user@gpu-box"],
        ),
    ] = None
    check: Annotated[
        Literal["full", "plan_only"],
        Field(description="plan_only: the engine is asked nothing before `pulumi up`."),
    ] = "full"
    hardware: Annotated[
        Hardware,
        Field(description="Which accelerators the host has: NVIDIA (cuda), AMD, Ascend or none."),
    ] = "cuda"
    gpu: GpuSettings = GpuSettings()
    cluster: ClusterSettings | None = None
    minimum: HostMinimumSettings = HostMinimumSettings()
    shm_size_gb: Annotated[
        Gigabytes, Field(description="Shared memory of training containers, GB (F6).")
    ] = 16
    ipc: Annotated[
        Literal["private", "host"],
        Field(
            description="host: containers that train, the Board and the API have the host's shared "
            "memory, whatever its size, and see what else uses it. private: `shm_size_gb` of "
            "their own."
        ),
    ] = "private"
    limits: LimitsSettings = LimitsSettings()

    @model_validator(mode="after")
    def _one_size_of_shared_memory(self) -> Self:
        if self.ipc == "host" and "shm_size_gb" in self.model_fields_set:
            raise rule_error(
                f"shm_size_gb {self.shm_size_gb:g} with ipc host: the host's shared memory has the "
                "size that the host gave it",
                "remove shm_size_gb, or set ipc to private",
            )
        return self
