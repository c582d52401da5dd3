"""Volumes: their names, and which of them outlive the stack (F7, D3, T7)."""

from plan.volume import TARGETS, VolumePlan, VolumesPlan
from stack_configs.settings.volumes import VolumeSettings, VolumesSettings


def plan_volumes(settings: VolumesSettings, stack: str) -> VolumesPlan:
    """The volumes of a stack."""

    def plan(role: str, volume: VolumeSettings) -> VolumePlan:
        return VolumePlan(
            role=role,
            name=f"{stack}-{role.replace('_', '-')}",
            target=TARGETS[role],
            retain=volume.retain,
            host_path=volume.host_path,
        )

    return VolumesPlan(
        data=plan("data", settings.data),
        output=plan("output", settings.output),
        hf_cache=plan("hf_cache", settings.hf_cache),
        ollama=plan("ollama", settings.ollama),
    )
