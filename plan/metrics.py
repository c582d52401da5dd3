"""What the exporter of a stack is told to measure. `images/metrics/exporter` reads these words."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MetricsRequest:
    """The surroundings: the first argument of the exporter."""

    port: int
    """Where it listens inside its container: for Prometheus, and by UDP for Ollama's log."""
    ollama: str
    """Base URL of the Ollama server, as seen from the stack's network."""
    gpus: bool
    """Whether the container has nvidia-smi."""
    volumes: Mapping[str, str]
    """Where each volume is mounted, by its role."""


@dataclass(frozen=True, kw_only=True)
class MeasuredStep:
    """One step: an argument each, as the engine limits an argument's length."""

    name: str
    """Without the stack's name, which it begins with on the engine."""
    noun: str
    marker: str
    """File that vouches for the finished work."""
    partial: str = ""
    """Folder of the step while it is at work; empty where it has none."""
    log: str = ""
    """Name of its trainer_log.jsonl; empty where it keeps none."""
