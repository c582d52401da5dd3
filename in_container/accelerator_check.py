"""Proves that a container sees the accelerators that the settings declare, and can compute there.

Usage: accelerator_check.py EXPECTED_JSON FOUND_JSON

Runs inside the LLaMA-Factory image, as training will: same devices, same torch. A driver that is
too old, a GPU that this torch has no kernels for or a device that the engine does not hand over
ends here, in seconds, and not after the download of a model.
"""

# ruff: noqa: PLC0415 - torch is in the image only, and takes seconds to import

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Never

GB = 1000**3


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """One device as torch sees it."""

    name: str
    memory_gb: float


def find_accelerators(hardware: str) -> list[Accelerator]:
    """Every visible device, each after a small computation on it.

    Raises `RuntimeError` (torch's own) when a device cannot compute.
    """
    import torch  # type: ignore[import-not-found]

    if hardware == "npu":
        import torch_npu  # type: ignore[import-not-found] # noqa: F401 - makes torch.npu
    # ROCm's torch answers under CUDA's name.
    kind = "npu" if hardware == "npu" else "cuda"
    backend: Any = getattr(torch, kind)
    found = []
    for index in range(backend.device_count() if backend.is_available() else 0):
        torch.ones(2, 2, device=f"{kind}:{index}").sum().item()
        properties = backend.get_device_properties(index)
        found.append(
            Accelerator(name=properties.name, memory_gb=round(properties.total_memory / GB, 1))
        )
    return found


def find_problem(found: Sequence[Accelerator], *, hardware: str, count: int | str) -> str | None:
    """What the settings declare and the container lacks. Memory is told, and judged elsewhere."""
    if not found:
        return (
            f"torch sees no device, and host.hardware is {hardware}. On the host, nvidia-smi "
            "(rocm-smi, npu-smi) must list one; then look at the container toolkit, and at the "
            "driver's age: it must be as new as the image's CUDA, ROCm or CANN asks"
        )
    if count != "all" and int(count) > len(found):
        return f"torch sees {len(found)} device(s), and host.gpu.count is {count}. Set it to that"
    return None


def _fail(text: str, status: int) -> Never:
    print(f"error: {text}", file=sys.stderr)
    sys.exit(status)


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    if len(arguments) != 2:  # noqa: PLR2004 - as the usage says
        _fail("usage: accelerator_check.py EXPECTED_JSON FOUND_JSON", 2)
    expected = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    try:
        found = find_accelerators(expected["hardware"])
    except (ImportError, RuntimeError) as error:
        _fail(f"torch cannot use the accelerator: {error}", 1)
    if problem := find_problem(found, **expected):
        _fail(problem, 1)
    for device in found:
        print(f"{device.name}, {device.memory_gb:g} GB", file=sys.stderr)
    text = json.dumps({"accelerators": [asdict(device) for device in found]}, indent=2) + "\n"
    Path(arguments[1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
