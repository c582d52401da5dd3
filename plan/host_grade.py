"""Three grades of hardware, as LLaMA-Factory's guide for operators has them (H1)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class HostSize:
    """Figures of a host, or those that a grade asks for; None where nobody could see one."""

    cpu_cores: int | None = None
    memory_gb: float | None = None
    gpu_memory_gb: float | None = None
    """Of the smallest GPU in use."""
    disk_gb: float | None = None
    """Free at the engine's data root."""

    @property
    def figures(self) -> Mapping[str, Any]:
        """Those that are known, by name."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: figure for name, figure in named.items() if figure is not None}

    def short_of(self, wanted: "HostSize") -> tuple[str, ...]:
        """Names of known figures that are less than what is wanted."""
        own, least = self.figures, wanted.figures
        return tuple(name for name in least if name in own and own[name] < least[name])

    def told(self, names: tuple[str, ...]) -> str:
        """Some of the figures, in words."""
        return ", ".join(WORDS[name].format(self.figures[name]) for name in names)


WORDS = {
    "cpu_cores": "{} CPU cores",
    "memory_gb": "{:g} GB of memory",
    "gpu_memory_gb": "{:g} GB of GPU memory",
    "disk_gb": "{:g} GB of free disk",
}

MINIMUM = "minimum"
GRADES: Mapping[str, HostSize] = {
    MINIMUM: HostSize(cpu_cores=4, memory_gb=16, gpu_memory_gb=8, disk_gb=50),
    "recommended": HostSize(cpu_cores=8, memory_gb=32, gpu_memory_gb=24, disk_gb=100),
    "large models": HostSize(cpu_cores=16, memory_gb=64, gpu_memory_gb=80, disk_gb=500),
}
"""From the least to the largest."""


def grade_of(size: HostSize) -> str | None:
    """The largest grade that no known figure falls short of; None below the minimum."""
    reached = [name for name, wanted in GRADES.items() if not size.short_of(wanted)]
    return reached[-1] if reached else None


def describe_grade(size: HostSize) -> str:
    """The grade with the figures that it was judged by, and what the next one asks for."""
    grade, names = grade_of(size), tuple(size.figures)
    told = f"{grade or 'below the minimum'} ({size.told(names)})"
    above = list(GRADES)[0 if grade is None else list(GRADES).index(grade) + 1 :]
    if not above:
        return told
    wanted = GRADES[above[0]]
    return f"{told}; {above[0]} is {wanted.told(size.short_of(wanted))}"
