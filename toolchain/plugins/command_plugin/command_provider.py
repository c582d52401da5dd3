"""The `command` provider: one resource, one function, no settings."""

from __future__ import annotations

from collections.abc import Mapping

from toolchain.plugins.command_plugin.local_command import LocalCommand
from toolchain.plugins.command_plugin.local_inputs import RUN_INPUTS, check_inputs
from toolchain.plugins.command_plugin.local_process import run_command
from toolchain.plugins.errors import PluginError
from toolchain.plugins.property_values import Properties, reveal
from toolchain.plugins.provider import Failure, Operation, Resource

RUN_TOKEN = "command:local:run"  # noqa: S105 - a type token
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
    functions: tuple[str, ...] = (RUN_TOKEN,)

    def check_config(self, news: Properties) -> tuple[Failure, ...]:
        """Refuse settings: the official provider has none."""
        return tuple(
            Failure(key, f"command:{key} is set, but the command provider has no settings")
            for key in news
            if key not in _ENGINE_SETTINGS and not key.startswith("__")
        )

    def configure(self, settings: Properties) -> None:
        """Take no settings."""

    def invoke(self, operation: Operation, token: str, arguments: Properties) -> Properties:
        """Run a command now, in a preview too, as the official `local.run` does."""
        if token != RUN_TOKEN:
            msg = f"function {token} is not served; the official command plugin is needed for it"
            raise PluginError(msg)
        failures = check_inputs(RUN_INPUTS, "local.run", arguments)
        if failures:
            raise PluginError("; ".join(failure.reason for failure in failures))
        plain = reveal(arguments)
        result = run_command(operation, str(plain.get("command", "")), plain, None)
        return {**arguments, "stdout": result.stdout, "stderr": result.stderr}
