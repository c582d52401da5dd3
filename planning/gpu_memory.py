"""Which services make room on the GPUs while a model trains (T5)."""

from collections.abc import Iterator

from plan.gpu_memory import GpuMemoryHolder
from planning.images import ollama_reaches_accelerators
from planning.names import PhysicalNames
from stack_configs.settings.root import Settings


def plan_gpu_memory_holders(settings: Settings, names: PhysicalNames) -> Iterator[GpuMemoryHolder]:
    """The services to free the GPUs of; none where they share, or where none has a GPU.

    Not the Board: what it holds on a GPU, somebody is working with there.
    """
    host = settings.host
    if host.hardware == "cpu" or host.gpu.while_training == "share":
        return
    if ollama_reaches_accelerators(settings):
        yield GpuMemoryHolder(container=names.ollama_server, release="unload")
    if settings.api.enabled:
        yield GpuMemoryHolder(container=names.api, release="stop")
