"""The four places where a stack keeps files."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import PurePosixPath

from plan import paths
from plan.container import Mount


@dataclass(frozen=True, kw_only=True)
class VolumePlan:
    """One volume, or a directory of the host in its place."""

    role: str
    name: str
    """Fixed, so that a retained volume is found again by the next up."""
    target: str
    """Where containers mount it."""
    retain: bool
    host_path: str | None

    @property
    def source(self) -> str:
        """As a mount names it."""
        return self.host_path or self.name

    def mount(self, *, read_only: bool = False) -> Mount:
        """The volume at its place in a container."""
        return Mount(source=self.source, target=self.target, read_only=read_only)


@dataclass(frozen=True, kw_only=True)
class VolumesPlan:
    """The four volumes of a stack."""

    data: VolumePlan
    output: VolumePlan
    hf_cache: VolumePlan
    ollama: VolumePlan

    def __iter__(self) -> Iterator[VolumePlan]:
        return (getattr(self, field.name) for field in fields(self))

    @property
    def training_mounts(self) -> tuple[Mount, ...]:
        """The guide's three mounts (F7)."""
        return (self.data.mount(), self.output.mount(), self.hf_cache.mount())

    def mounted_at(self, target: str) -> VolumePlan:
        """The volume that containers mount there."""
        return next(volume for volume in self if volume.target == target)

    def holding(self, path: str) -> VolumePlan | None:
        """The volume that a path of a training container lies in."""
        wanted = PurePosixPath(path)
        places = (self.data, self.output, self.hf_cache)
        return next((v for v in places if wanted.is_relative_to(v.target)), None)


TARGETS = {
    "data": str(paths.DATA),
    "output": str(paths.OUTPUT),
    "hf_cache": str(paths.HF_CACHE),
    "ollama": str(paths.OLLAMA_STORE),
}
