"""GPUs of this host, as their drivers tell of them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from plan.problem import Problem

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


def gpu_problems(memory: list[int] | None, count: int | None) -> Iterator[Problem]:
    """GPUs that are fewer than the settings say; `count` is None for all that there are."""
    if memory is not None and count is not None and count > len(memory):
        yield Problem(
            "host.gpu.count",
            str(count),
            f"this host has {len(memory)}",
            f"Set it to {len(memory)} or fewer, or to all",
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
