"""PyTorch's last figures beside the estimate for the same runs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gpu_memory.cases import MEASURED, TRACKED, Case

TRACKED_FILE = Path(__file__).with_name("tracked.json")
"""Of fake tensors: `bytes` by kind, by the case's name."""
MEASURED_FILE = Path(__file__).with_name("measured.json")
"""Of a GPU: its name and `allocated` bytes, or the `error`; not there before anybody had one."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One run, and what PyTorch gave to tensors at its peak."""

    case: Case
    bytes: int
    by_kind: Mapping[str, int]
    """Empty where nobody could tell them apart."""

    @property
    def error(self) -> float:
        """Of the estimate: a share of PyTorch's figure."""
        return self.case.estimate.allocated * 1e9 / self.bytes - 1


def tracked() -> Iterator[Comparison]:
    """Every case, on fake tensors."""
    figures = _read(TRACKED_FILE)
    for case in TRACKED:
        by_kind = figures[case.name]["bytes"]
        yield Comparison(case=case, bytes=sum(by_kind.values()), by_kind=by_kind)


def measured() -> Iterator[Comparison]:
    """Every case that a GPU has finished."""
    figures = _read(MEASURED_FILE) if MEASURED_FILE.exists() else {}
    for case in MEASURED:
        if allocated := figures.get(case.name, {}).get("allocated"):
            yield Comparison(case=case, bytes=allocated, by_kind={})


def _read(file: Path) -> Mapping[str, Any]:
    told: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return told
