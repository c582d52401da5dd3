"""The pinned Pulumi CLI with its Python language host: found, else downloaded, else built."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from toolchain import versions
from toolchain.errors import ToolchainError
from toolchain.lock import exclusive
from toolchain.offline.cli_build import build_cli, recipe_digest
from toolchain.places import Places
from toolchain.process import run
from toolchain.progress import say


class CliRoute(Enum):
    """Where the CLI comes from."""

    ON_PATH = "on PATH"
    DOWNLOADED = "official download"
    BUILT = "built from source"


@dataclass(frozen=True)
class Cli:
    """A usable CLI: the folder goes first on PATH."""

    folder: Path
    route: CliRoute


def find_cli(places: Places, environ: Mapping[str, str] = os.environ) -> Cli | None:
    """Return the CLI that is there already, without asking the network."""
    on_path = _find_on_path(places, environ)
    if on_path is not None:
        return Cli(on_path, CliRoute.ON_PATH)
    for folder, route in (
        (official_folder(places), CliRoute.DOWNLOADED),
        (built_folder(places), CliRoute.BUILT),
    ):
        # A folder gets this name only when it is complete.
        if folder.is_dir():
            return Cli(folder, route)
    return None


def ensure_cli(places: Places) -> Cli:
    """Return a CLI of the pinned version; download it, or build it where that cannot be done."""
    cli = find_cli(places)
    if cli is not None:
        return cli
    with exclusive(places.cache / "cli"):
        cli = find_cli(places)
        if cli is not None:
            return cli
        # httpx is part of .venv, and `make doctor` reads this module without one.
        from toolchain.cli_download import download_cli, download_site_answers  # noqa: PLC0415

        if download_site_answers():
            try:
                download_cli(official_folder(places))
            except ToolchainError as error:
                say(f"The official download failed ({error}); building from source instead")
            else:
                return Cli(official_folder(places), CliRoute.DOWNLOADED)
        else:
            say("Pulumi's download site does not answer; building the CLI from source")
        build_cli(places, built_folder(places))
        return Cli(built_folder(places), CliRoute.BUILT)


def official_folder(places: Places) -> Path:
    """Return the folder of a downloaded CLI."""
    return places.cache / "cli" / f"v{versions.PULUMI}-official"


def built_folder(places: Places) -> Path:
    """Return the folder of a CLI built by the present recipe."""
    return places.cache / "cli" / f"v{versions.PULUMI}-{recipe_digest(places)}"


def _find_on_path(places: Places, environ: Mapping[str, str]) -> Path | None:
    search = environ.get("PATH", os.defpath)
    pulumi = shutil.which("pulumi", path=search)
    if pulumi is None or shutil.which("pulumi-language-python", path=search) is None:
        return None
    # Our own, put on PATH by `python -m toolchain env`: its folder tells its route better.
    if Path(pulumi).is_relative_to(places.cache):
        return None
    try:
        # Without its look for newer versions, which leaves a file behind.
        quiet = {**environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
        version = run([pulumi, "version"], title="pulumi version", env=quiet).strip()
    except ToolchainError:
        return None
    return Path(pulumi).parent if version == f"v{versions.PULUMI}" else None
