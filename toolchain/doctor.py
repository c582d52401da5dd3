"""What is there, what is missing, what setup would do. Installs and changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from runtime.host.gpus import gpu_memory
from toolchain import versions
from toolchain.cli import CliRoute, find_cli
from toolchain.doctor_engine import base_image_row, engine_row, gpu_row, hardware_row
from toolchain.doctor_table import Mark, Row, render
from toolchain.engine import engine_facts
from toolchain.engine_api import ask_engine
from toolchain.engine_choice import EngineChoice, is_plan_only
from toolchain.environment import has_own_passphrase
from toolchain.errors import ToolchainError
from toolchain.offline.go import GoRoute, choose_go, find_host_go, find_uv
from toolchain.places import Places
from toolchain.plugin_cache import PluginState, plugin_state


def doctor(places: Places, choice: EngineChoice, base_images: tuple[str, ...]) -> int:
    """Print the table; 1 if something is missing."""
    rows = list(examine(places, choice, base_images))
    print(render(rows))
    missing = [row.name for row in rows if row.mark is Mark.MISSING]
    if missing:
        print(f"\nmissing: {', '.join(missing)}; `make setup` does what the table says")
    return 1 if missing else 0


def examine(
    places: Places, choice: EngineChoice, base_images: tuple[str, ...] = ()
) -> Iterator[Row]:
    """Look at the host, row by row."""
    info = ask_engine(choice.host)
    yield python_row(sys.version_info[:3])
    yield uv_row(places)
    yield from tool_rows(places)
    yield engine_row(places, choice, info, engine_facts)
    if not choice.is_elsewhere:
        for image in base_images:
            yield base_image_row(choice.host, image, engine_answers=info is not None)
    yield backend_row(places, os.environ)
    if info is not None:
        yield hardware_row(info, None if choice.is_elsewhere else gpu_memory("cuda"))
    yield gpu_row(info, has_gpu=any(Path("/dev").glob("nvidia[0-9]*")))


def tool_rows(places: Places) -> Iterator[Row]:
    """Look at what runs the program: its packages, the CLI, the plugins."""
    yield venv_row(places)
    yield from cli_rows(places)
    for name in versions.PLUGINS:
        yield plugin_row(name, plugin_state(places.pulumi_home, name))


def preview_rows(places: Places, choice: EngineChoice, stack: str) -> Iterator[Row]:
    """Look at what a preview needs: settings that ask no engine anything need none."""
    yield from tool_rows(places)
    if not is_plan_only(places, stack):
        yield engine_row(places, choice, ask_engine(choice.host), engine_facts)


def require(rows: Iterable[Row], purpose: str) -> None:
    """Stop where something is missing, and say what setup would do."""
    missing = [row for row in rows if row.mark is Mark.MISSING]
    if missing:
        lines = "".join(f"\n  {row.name}: {row.detail}" for row in missing)
        msg = (
            f"{purpose} installs and starts nothing, and this is missing:{lines}\n"
            "`make setup` does what is said of setup."
        )
        raise ToolchainError(msg)


def python_row(version: tuple[int, ...]) -> Row:
    """Describe the interpreter that runs this."""
    return Row("python", Mark.THERE, f"{'.'.join(map(str, version))} ({sys.executable})")


def uv_row(places: Places) -> Row:
    """Describe the installer."""
    uv = find_uv(places)
    if isinstance(uv, Path):
        return Row("uv", Mark.THERE, str(uv))
    return Row("uv", Mark.MISSING, "setup fetches it from the Python package index")


def venv_row(places: Places) -> Row:
    """Describe the virtual environment."""
    if (places.venv / "bin" / "python").exists():
        return Row("packages", Mark.THERE, str(places.venv))
    return Row("packages", Mark.MISSING, "setup makes .venv from uv.lock")


def cli_rows(
    places: Places, go_route: Callable[[], GoRoute] = lambda: choose_go(find_host_go())
) -> Iterator[Row]:
    """Describe the CLI and its language host; Go only where it would be needed."""
    cli = find_cli(places)
    if cli is None:
        route = go_route()
        yield Row("Go", Mark.OPTIONAL, f"for a build: {route.value}")
        yield Row(
            f"pulumi {versions.PULUMI}",
            Mark.MISSING,
            "setup downloads it, or builds it where the download site does not answer "
            f"({platform.machine()})",
        )
        yield Row("language host", Mark.MISSING, "comes with the CLI")
        return
    yield Row("Go", Mark.OPTIONAL, "not needed: the CLI is there")
    yield Row(f"pulumi {versions.PULUMI}", Mark.THERE, f"{cli.route.value} ({cli.folder})")
    own = cli.route is CliRoute.BUILT
    version = versions.LANGUAGE_HOST if own else versions.PULUMI
    yield Row("language host", Mark.THERE, f"{version}, {cli.route.value}")


def plugin_row(name: str, state: PluginState) -> Row:
    """Describe a plugin."""
    label = f"plugin {name} {versions.PLUGINS[name]}"
    details = {
        PluginState.OFFICIAL: "official",
        PluginState.STAND_IN: "this project's stand-in (the official one cannot be downloaded)",
        PluginState.MISSING: "setup downloads it, or uses this project's stand-in",
    }
    return Row(label, Mark.MISSING if state is PluginState.MISSING else Mark.THERE, details[state])


def backend_row(places: Places, environ: os._Environ[str] | dict[str, str]) -> Row:
    """Describe where the state goes."""
    own = has_own_passphrase(environ)
    key = "your own passphrase" if own else f"generated passphrase {places.passphrase}"
    detail = f"{places.backend_url}, {key}"
    folder = places.local_backend
    if folder is None or (folder.is_dir() and (own or places.passphrase.exists())):
        return Row("state", Mark.THERE, detail)
    return Row("state", Mark.MISSING, f"setup makes {detail}; free: {free_space(folder)}")


def free_space(folder: Path) -> str:
    """Return the free space of the disk that a folder is on, or would be on."""
    while not folder.exists():
        folder = folder.parent
    return f"{shutil.disk_usage(folder).free / 1e9:.0f} GB"
