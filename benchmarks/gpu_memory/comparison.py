"""The tracker's last figures beside the estimate for the same runs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu_memory.cases import TRACKED, Case
from planning.memory.estimate import MemoryEstimate

TRACKED_FILE = Path(__file__).with_name("tracked.json")
"""Bytes by kind, by the case's name."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One run: what PyTorch gave to tensors at the peak, and what the estimate says of that."""

    case: Case
    tracked: Mapping[str, int]
    estimate: MemoryEstimate

    @property
    def tracked_gb(self) -> float:
        """All kinds together."""
        return sum(self.tracked.values()) / 1e9

    @property
    def error(self) -> float:
        """Of the estimate: a share of the tracker's figure."""
        return self.estimate.allocated / self.tracked_gb - 1


def compare() -> Iterator[Comparison]:
    """Every case that was tracked."""
    figures = json.loads(TRACKED_FILE.read_text(encoding="utf-8"))
    for each in TRACKED:
        yield Comparison(case=each, tracked=figures[each.name], estimate=each.estimate)
