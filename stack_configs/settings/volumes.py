"""Settings of the volumes: what survives a destroy, what is a host directory (F7, D3, T7)."""

from typing import Annotated

from pydantic import Field

from stack_configs.settings.strict_model import AbsoluteFolder, StrictModel


class VolumeSettings(StrictModel):
    """A Docker volume, or a directory of the host bound in its place."""

    retain: Annotated[bool, Field(description="Keep it on destroy; the next up adopts it.")] = False
    host_path: Annotated[
        AbsoluteFolder | None,
        Field(
            description="Absolute directory on the engine's host.",
            examples=["/srv/finetune"],
        ),
    ] = None


class VolumesSettings(StrictModel):
    """The four places where a stack keeps files."""

    data: Annotated[VolumeSettings, Field(description="Data files and their registration.")] = (
        VolumeSettings()
    )
    output: Annotated[
        VolumeSettings, Field(description="What the steps make: adapters, models, GGUF files.")
    ] = VolumeSettings(retain=True)
    hf_cache: Annotated[VolumeSettings, Field(description="What was downloaded from the hub.")] = (
        VolumeSettings(retain=True)
    )
    ollama: Annotated[VolumeSettings, Field(description="Ollama's store of models.")] = (
        VolumeSettings()
    )
