"""What NVIDIA's driver tells of the GPUs, by the nvidia-smi that its runtime brings along."""

import subprocess
from collections.abc import Iterator

from families import Sample

SECONDS = 10.0
MIB = 1024 * 1024
QUERY = (
    *("index", "name"),
    *("utilization.gpu", "memory.used", "memory.total", "temperature.gpu", "power.draw"),
)
COMMAND = ("nvidia-smi", f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader,nounits")
FIGURES = (
    ("finetune_gpu_utilization_ratio", 0.01),
    ("finetune_gpu_memory_used_bytes", MIB),
    ("finetune_gpu_memory_bytes", MIB),
    ("finetune_gpu_temperature_celsius", 1),
    ("finetune_gpu_power_watts", 1),
)
"""By column after the first two, with what one of its units is."""


def samples() -> Iterator[Sample]:
    """The GPUs as they are now."""
    try:
        told = subprocess.run(COMMAND, capture_output=True, text=True, timeout=SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        yield Sample(name="finetune_gpu_up", value=0)
        return
    yield Sample(name="finetune_gpu_up", value=1)
    yield from read(told.stdout)


def read(table: str) -> Iterator[Sample]:
    """The table that nvidia-smi prints. A figure that a GPU does not have is left out."""
    for line in table.splitlines():
        index, name, *figures = (cell.strip() for cell in line.split(","))
        for (metric, unit), figure in zip(FIGURES, figures, strict=True):
            try:
                value = float(figure)
            except ValueError:
                # [N/A], [Not Supported]
                continue
            yield Sample(name=metric, value=value * unit, labels=(index, name))
