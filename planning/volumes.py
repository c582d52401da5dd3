"""Volumes: their names, and which of them outlive the stack (F7, D3, T7)."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from stack_configs.settings.volumes import VolumeSettings, VolumesSettings


@dataclass(frozen=True, kw_only=True)
class VolumePlan:
    """One volume, by role."""

    role: str
    name: str
    """Fixed, so that a retained volume is found again by the next up."""
    retain: bool
    host_path: str | None


@dataclass(frozen=True, kw_only=True)
class VolumesPlan:
    """The four volumes of a stack."""

    data: VolumePlan
    output: VolumePlan
    hf_cache: VolumePlan
    ollama: VolumePlan

    def __iter__(self) -> Iterator[VolumePlan]:
        return (getattr(self, field.name) for field in fields(self))


def plan_volumes(settings: VolumesSettings, stack: str) -> VolumesPlan:
    """The volumes of a stack."""

    def plan(role: str, volume: VolumeSettings) -> VolumePlan:
        name = f"{stack}-{role.replace('_', '-')}"
        return VolumePlan(role=role, name=name, retain=volume.retain, host_path=volume.host_path)

    return VolumesPlan(
        data=plan("data", settings.data),
        output=plan("output", settings.output),
        hf_cache=plan("hf_cache", settings.hf_cache),
        ollama=plan("ollama", settings.ollama),
    )
