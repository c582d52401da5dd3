"""The resource plugins in the project's own PULUMI_HOME: official ones, else the stand-ins."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from toolchain import versions
from toolchain.cli import Cli, CliRoute
from toolchain.errors import CommandError
from toolchain.lock import exclusive
from toolchain.offline.plugins.install import install_analyzer, install_plugins
from toolchain.places import Places
from toolchain.process import run
from toolchain.progress import Step, say


class PluginState(Enum):
    """What lies in the plugin cache."""

    OFFICIAL = "official"
    STAND_IN = "stand-in"
    MISSING = "missing"


def plugin_folder(pulumi_home: Path, name: str) -> Path:
    """Where Pulumi looks for the plugin in the version that belongs to this project."""
    return pulumi_home / "plugins" / f"resource-{name}-v{versions.PLUGINS[name]}"


def plugin_state(pulumi_home: Path, name: str) -> PluginState:
    """Tell an official plugin, which is a binary, from a stand-in, which is a script."""
    folder = plugin_folder(pulumi_home, name)
    try:
        with (folder / f"pulumi-resource-{name}").open("rb") as handle:
            start = handle.read(2)
    except OSError:
        return PluginState.MISSING
    # The CLI writes this file first and removes it when an installation is complete.
    if folder.with_name(f"{folder.name}.partial").exists():
        return PluginState.MISSING
    return PluginState.STAND_IN if start == b"#!" else PluginState.OFFICIAL


def ensure_plugins(places: Places, cli: Cli, environment: Mapping[str, str]) -> None:
    """Install what is missing."""
    with exclusive(places.pulumi_home):
        missing = [
            name
            for name in versions.PLUGINS
            if plugin_state(places.pulumi_home, name) is PluginState.MISSING
        ]
        # A CLI had to be built because the download site does not answer: do not ask it again.
        if cli.route is not CliRoute.BUILT:
            missing = [name for name in missing if not _install_official(cli, name, environment)]
        _refresh_stand_ins(places, missing)
        if cli.route is CliRoute.BUILT:
            install_analyzer(places.pulumi_home, places.venv / "bin" / "python")


def _install_official(cli: Cli, name: str, environment: Mapping[str, str]) -> bool:
    version = versions.PLUGINS[name]
    command = [cli.folder / "pulumi", "plugin", "install", "resource", name, version]
    try:
        with Step(f"Downloading the Pulumi plugin {name} {version}") as step:
            run(command, env=environment, watch=step.update)
    except CommandError as error:
        say(f"The plugin {name} could not be downloaded: {' '.join(error.tail[-1:])}")
        return False
    return True


def _refresh_stand_ins(places: Places, missing: list[str]) -> None:
    stand_ins = [
        name
        for name in versions.PLUGINS
        if plugin_state(places.pulumi_home, name) is PluginState.STAND_IN
    ]
    if missing:
        say(f"Using the project's stand-ins for the Pulumi plugins {', '.join(missing)}")
    if missing or stand_ins:
        # Also when they are there: their launchers name this repository's folder and interpreter.
        install_plugins(places.pulumi_home, places.venv / "bin" / "python")
