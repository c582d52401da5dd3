"""The `docker` provider: its settings, its resources, and the engine that they share."""

from __future__ import annotations

import json
from collections.abc import Mapping

from toolchain.offline.plugins.docker_plugin.container import Container
from toolchain.offline.plugins.docker_plugin.engine import Engine, EngineSettings
from toolchain.offline.plugins.docker_plugin.image import Image
from toolchain.offline.plugins.docker_plugin.network import Network
from toolchain.offline.plugins.docker_plugin.remote_image import RemoteImage
from toolchain.offline.plugins.docker_plugin.volume import Volume
from toolchain.offline.plugins.property_values import Properties
from toolchain.offline.plugins.provider import Failure, Resource

_SERVED = frozenset({"host", "sshOpts"})
_ENGINE_SETTINGS = frozenset(
    {"version", "pluginDownloadURL", "pluginChecksums", "parameterization"}
)


class DockerProvider:
    """Docker resources of one engine."""

    name = "docker"
    version = "5.2.0"
    # As the bridge answers Configure: Pulumi then keeps the secret marks of inputs by itself.
    accepts_secrets = False

    def __init__(self) -> None:
        self._engine = Engine()
        self.resources: Mapping[str, Resource] = {
            "docker:index/volume:Volume": Volume(self._engine),
            "docker:index/network:Network": Network(self._engine),
            "docker:index/remoteImage:RemoteImage": RemoteImage(self._engine),
            "docker:index/image:Image": Image(self._engine),
            "docker:index/container:Container": Container(self._engine),
        }

    def check_config(self, news: Properties) -> tuple[Failure, ...]:
        """Refuse settings that are not served."""
        return tuple(
            Failure(
                key,
                f"docker:{key} is not served by this stand-in (it serves host and sshOpts); "
                "the official docker plugin 5.2.0 is needed for it",
            )
            for key in news
            if key not in _SERVED | _ENGINE_SETTINGS and not key.startswith("__")
        )

    def configure(self, settings: Properties) -> None:
        """Choose the engine, and fail where it does not answer."""
        options = settings.get("sshOpts") or []
        if isinstance(options, str):
            options = json.loads(options)
        self._engine.settings = EngineSettings(settings.get("host"), tuple(options))
        self._engine.ping()
