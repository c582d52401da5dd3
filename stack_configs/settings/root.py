"""The root of the settings: what one environment declares."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from stack_configs.settings.datasets import DatasetSettings
from stack_configs.settings.host import HostSettings
from stack_configs.settings.images import ImagesSettings
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.registry import RegistrySettings
from stack_configs.settings.reverse_proxy import ReverseProxySettings
from stack_configs.settings.services import (
    ApiSettings,
    BoardSettings,
    MetricsSettings,
    OllamaServerSettings,
    OptionalServiceSettings,
    ServiceSettings,
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
    reverse_proxy: ReverseProxySettings = ReverseProxySettings()

    @property
    def running_services(self) -> Mapping[str, ServiceSettings]:
        """What keeps running behind a port of its own, by section."""
        optional: Mapping[str, OptionalServiceSettings] = {
            "board": self.board,
            "api": self.api,
            "tensorboard": self.tensorboard,
            "metrics": self.metrics,
        }
        running = {name: service for name, service in optional.items() if service.enabled}
        return {"ollama_server": self.ollama_server, **running}

    @property
    def fronted_ports(self) -> Mapping[str, int]:
        """Where the reverse proxy listens for them, by section; empty where none runs."""
        if not self.reverse_proxy.enabled:
            return {}
        ports: Mapping[str, int] = self.reverse_proxy.ports.model_dump()
        return {section: ports[section] for section in self.running_services}
