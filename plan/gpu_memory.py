"""Containers that hold memory of the GPUs, and how they let go of it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class GpuMemoryHolder:
    """A service whose GPU memory a training run gets for its time."""

    container: str
    """Its name on the engine."""
    release: Literal["unload", "stop"]
    """unload: Ollama, which loads a model again when it is asked. stop: a server that has its model
    for as long as it runs; it is started again after the run."""
