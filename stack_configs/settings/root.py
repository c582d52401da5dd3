"""The root of the settings: what one environment declares."""

from typing import Annotated

from pydantic import Field

from stack_configs.settings.datasets import DatasetSettings
from stack_configs.settings.host import HostSettings
from stack_configs.settings.images import ImagesSettings
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.registry import RegistrySettings
from stack_configs.settings.services import (
    ApiSettings,
    BoardSettings,
    MetricsSettings,
    OllamaServerSettings,
    TensorBoardSettings,
)
from stack_configs.settings.strict_model import StrictModel
from stack_configs.settings.trackers import TrackersSettings
from stack_configs.settings.volumes import VolumesSettings


class Settings(StrictModel):
    """Everything that an operator declares about one environment."""

    host: HostSettings = HostSettings()
    images: ImagesSettings = ImagesSettings()
    volumes: VolumesSettings = VolumesSettings()
    datasets: Annotated[
        tuple[DatasetSettings, ...], Field(min_length=1, description="The data files to train on.")
    ]
    models: Annotated[
        tuple[ModelSettings, ...],
        Field(min_length=1, description="The models to fine-tune and serve."),
    ]
    ollama_server: OllamaServerSettings = OllamaServerSettings()
    registry: RegistrySettings = RegistrySettings()
    board: BoardSettings = BoardSettings()
    api: ApiSettings = ApiSettings()
    trackers: TrackersSettings = TrackersSettings()
    tensorboard: TensorBoardSettings = TensorBoardSettings()
    metrics: MetricsSettings = MetricsSettings()
