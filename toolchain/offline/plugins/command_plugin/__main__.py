"""Entry point of the `command` plugin."""

from __future__ import annotations

from toolchain.offline.plugins.command_plugin.command_provider import CommandProvider
from toolchain.offline.plugins.server import serve


def main(arguments: list[str]) -> None:
    """Serve until Pulumi ends the process."""
    serve(CommandProvider(), arguments)
