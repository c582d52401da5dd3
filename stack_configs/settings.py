"""The root of the settings: what one environment declares."""

from typing import Annotated

from pydantic import Field

from stack_configs.datasets import DatasetSettings
from stack_configs.host import HostSettings
from stack_configs.images import ImagesSettings
from stack_configs.models import ModelSettings
from stack_configs.services import ApiSettings, BoardSettings, OllamaServerSettings
from stack_configs.strict_model import StrictModel
from stack_configs.volumes import VolumesSettings


class Settings(StrictModel):
    """Everything that an operator declares about one environment."""

    host: HostSettings = HostSettings()
    images: ImagesSettings = ImagesSettings()
    volumes: VolumesSettings = VolumesSettings()
    datasets: Annotated[tuple[DatasetSettings, ...], Field(min_length=1)]
    models: Annotated[tuple[ModelSettings, ...], Field(min_length=1)]
    ollama_server: OllamaServerSettings = OllamaServerSettings()
    board: BoardSettings = BoardSettings()
    api: ApiSettings = ApiSettings()
