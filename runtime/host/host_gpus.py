"""GPUs of this host, as their drivers tell of them."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runtime.host.host_facts import GB
from runtime.host.host_problems import HostProblem

MIB = 1024**2
PATIENCE_SECONDS = 20
NVIDIA_SMI = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
AMD_MEMORY = "sys/class/drm/card*/device/mem_info_vram_total"


def gpu_memory(hardware: str, *, files: Path = Path("/")) -> list[int] | None:
    """Bytes of memory of each GPU, in the driver's order; None when nothing here can tell.

    `files` is where the host's files begin.
    """
    match hardware:
        case "cuda":
            return _nvidia()
        case "rocm":
            return [int(file.read_text()) for file in sorted(files.glob(AMD_MEMORY))] or None
        case _:
            return None


def gpu_problems(memory: list[int] | None, declared: Mapping[str, Any]) -> Iterator[HostProblem]:
    """GPUs that are fewer or smaller than the settings say, on which the estimates rest."""
    if memory is None:
        return
    count, least = declared["count"], declared["memory_gb"]
    if count != "all" and count > len(memory):
        yield HostProblem(
            key="host.gpu.count",
            value=str(count),
            rule=f"this host has {len(memory)}",
            way_out=f"Set it to {len(memory)} or fewer, or to all",
        )
    used = memory if count == "all" else memory[:count]
    smallest = min(used) / GB
    if smallest < least:
        yield HostProblem(
            key="host.gpu.memory_gb",
            value=f"{least:g}",
            rule=f"the smallest GPU of this host has {smallest:.1f} GB",
            way_out="Set it to what the GPU has, so that the estimates are right",
        )


def _nvidia() -> list[int] | None:
    try:
        told = subprocess.run(
            NVIDIA_SMI, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    figures = told.stdout.split()
    # `[N/A]` where the GPU shares the host's memory.
    known = [int(figure) * MIB for figure in figures if figure.isdigit()]
    return known if known and len(known) == len(figures) else None
