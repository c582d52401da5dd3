"""The `command` provider: one resource, no settings."""

from __future__ import annotations

from collections.abc import Mapping

from toolchain.offline.plugins.command_plugin.local_command import LocalCommand
from toolchain.offline.plugins.property_values import Properties
from toolchain.offline.plugins.provider import Failure, Resource

_ENGINE_SETTINGS = frozenset(
    {"version", "pluginDownloadURL", "pluginChecksums", "parameterization"}
)


class CommandProvider:
    """Runs programs on the machine that runs Pulumi."""

    name = "command"
    version = "1.2.1"
    # pulumi-go-provider answers Configure with acceptSecrets: secret inputs come marked.
    accepts_secrets = True
    resources: Mapping[str, Resource] = {"command:local:Command": LocalCommand()}

    def check_config(self, news: Properties) -> tuple[Failure, ...]:
        """Refuse settings: the official provider has none."""
        return tuple(
            Failure(key, f"command:{key} is set, but the command provider has no settings")
            for key in news
            if key not in _ENGINE_SETTINGS and not key.startswith("__")
        )

    def configure(self, settings: Properties) -> None:
        """Take no settings."""
