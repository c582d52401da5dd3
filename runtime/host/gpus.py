"""GPUs of this host, as their drivers tell of them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from plan.problem import Problem

MIB = 1024**2
PATIENCE_SECONDS = 20
NVIDIA_SMI = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
ASCEND_NODES = "dev/davinci[0-9]*"
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


def count_gpus(hardware: str, memory: list[int] | None, *, files: Path = Path("/")) -> int | None:
    """How many GPUs there are; None where nothing here can tell, as without a driver.

    Ascend's driver makes a node for each, and tells of no memory in a way that is easily read.
    """
    if hardware == "npu":
        return len(list(files.glob(ASCEND_NODES))) or None
    return None if memory is None else len(memory)


def gpu_problems(found: int | None, wanted: int | None) -> Iterator[Problem]:
    """GPUs that are fewer than the settings say; `wanted` is None for all that there are.

    Less memory than they say is no problem: it makes estimates wrong.
    """
    if found is not None and wanted is not None and wanted > found:
        yield Problem(
            "host.gpu.count",
            str(wanted),
            f"this host has {found}",
            f"Set it to {found} or fewer",
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
