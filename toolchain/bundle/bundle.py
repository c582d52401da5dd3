"""`make bundle`: the archive from which a stack goes up on a host without a network."""

from __future__ import annotations

import platform
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from plan.carried_images import FILE
from plan.codec import encode
from plan.problem import SettingsError
from stack_configs.settings.loader import load_settings
from stack_configs.settings.root import Settings
from toolchain import versions
from toolchain.bundle import contents, unbundle
from toolchain.bundle.archive import ArchiveWriter
from toolchain.cli import Cli, CliRoute, find_cli, official_folder
from toolchain.engine_api import NoAnswerError, get_json, open_connection, reached, read_info
from toolchain.engine_choice import EngineChoice, settings_file
from toolchain.errors import ToolchainError
from toolchain.offline.go import find_uv
from toolchain.places import Places
from toolchain.plugin_cache import PluginState, plugin_folder, plugin_state
from toolchain.progress import Step, say
from toolchain.stack_config import committed_config

SAVE_SECONDS = 3600.0
"""An engine says nothing while it prepares what it saves."""


def make(places: Places, choice: EngineChoice, stack: str, file: Path | None) -> int:
    """Write the archive of a stack whose images are on the engine; nothing else changes."""
    config, path = committed_config(places, stack), settings_file(places, stack)
    settings = _settings(path, places)
    tools = _tools(places)
    target = (file or places.repository / "bundles" / f"{stack}.tar").absolute()
    plan, references = contents.images_of(settings)
    own = [config, path]
    files = contents.project_files(places, settings, own)
    commit = contents.git(places, "describe", "--always", "--dirty", "--abbrev=40").strip()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    try:
        with reached(choice.host) as engine:
            read_info(engine)
            ids = _image_ids(engine, references, stack)
            with partial.open("wb") as stream:
                archive = ArchiveWriter(stream)
                archive.add_file("unbundle.py", Path(unbundle.__file__))
                with Step(f"Packing {len(files)} files of the project, and its tools"):
                    _add_project(archive, places, files)
                    record = encode(contents.carried(plan, ids))
                    archive.add_bytes(f"project/{FILE}", record.encode())
                    for name, folder, found in tools:
                        archive.add_files(name, folder, found)
                with Step(f"Packing {len(references)} images") as step:
                    _add_images(archive, engine, references)
                    step.update(f"{stream.tell() >> 20} MB")
                total = archive.finish(_facts(stack, commit, ids))
        partial.rename(target)
    except (NoAnswerError, OSError) as error:
        msg = f"the bundle could not be written: {error}"
        raise ToolchainError(msg) from error
    finally:
        partial.unlink(missing_ok=True)
    say(f"{target}: {target.stat().st_size / 1e9:.2f} GB; its manifest has the SHA-256 {total}")
    _tell_what_is_left(settings)
    print(f"    there: tar -xf {target.name} unbundle.py && python3 unbundle.py {target.name}")
    return 0


def _settings(path: Path, places: Places) -> Settings:
    try:
        settings = load_settings(path)
    except SettingsError as error:
        raise ToolchainError(str(error)) from error
    if problems := [*contents.find_problems(settings, places.repository)]:
        raise ToolchainError(str(SettingsError(path.name, problems)))
    if not path.resolve().is_relative_to(places.repository):
        msg = f"the settings {path} lie outside {places.repository}: put them into the project"
        raise ToolchainError(msg)
    return settings


Tool = tuple[str, Path, list[Path]]
"""Where the files go in the archive, the folder that they lie in, and they."""


def _tools(places: Places) -> list[Tool]:
    """The packages, uv, the CLI and the plugins, as this host has them."""
    cli, uv = find_cli(places), find_uv(places)
    plugins = [plugin_folder(places.pulumi_home, name) for name in versions.PLUGINS]
    missing = [
        name
        for name in versions.PLUGINS
        if plugin_state(places.pulumi_home, name) is PluginState.MISSING
    ]
    if cli is None or isinstance(uv, str) or missing:
        msg = "the tools that a bundle carries are not here yet: `make setup` gets them"
        raise ToolchainError(msg)
    packages = Path(sysconfig.get_paths()["purelib"])
    version = uv.parent.parent.name
    return [
        ("packages", packages, [*_files(packages)]),
        (f"cache/uv/{version}", uv.parent.parent, [uv]),
        (f"cache/cli/{_cli_name(places, cli)}", cli.folder, [*_cli_files(cli)]),
        *((f"plugins/{folder.name}", folder, [*_files(folder)]) for folder in plugins),
    ]


def _cli_name(places: Places, cli: Cli) -> str:
    return official_folder(places).name if cli.route is CliRoute.ON_PATH else cli.folder.name


def _cli_files(cli: Cli) -> Iterator[Path]:
    """Of a folder that other programs share, what is Pulumi's."""
    for path in _files(cli.folder):
        if cli.route is not CliRoute.ON_PATH or path.name.startswith("pulumi"):
            yield path


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if "__pycache__" not in path.parts and (path.is_symlink() or path.is_file()):
            yield path


def _add_project(archive: ArchiveWriter, places: Places, files: Iterable[Path]) -> None:
    for path in files:
        name = f"project/{path.relative_to(places.repository).as_posix()}"
        # Where an operator's own Pulumi keeps what it has encrypted.
        if path.parent == places.repository and path.match("Pulumi.*.yaml"):
            archive.add_bytes(name, contents.without_secrets(path.read_bytes()))
        else:
            archive.add_file(name, path)


def _image_ids(engine: str, references: Iterable[str], stack: str) -> dict[str, str]:
    ids: dict[str, str] = {}
    missing = []
    for reference in references:
        try:
            ids[reference] = get_json(engine, f"/images/{reference}/json", 60.0)["Id"]
        except NoAnswerError:
            missing.append(reference)
    if missing:
        msg = (
            f"the engine does not have {', '.join(missing)}: "
            f"make up STACK={stack} builds what is missing"
        )
        raise ToolchainError(msg)
    return ids


def _add_images(archive: ArchiveWriter, engine: str, references: Iterable[str]) -> None:
    """One stream of all images: a layer that several have is in it once."""
    connection = open_connection(engine, SAVE_SECONDS)
    try:
        query = "&".join(f"names={reference}" for reference in references)
        connection.request("GET", f"/images/get?{query}", headers={"Host": "docker"})
        response = connection.getresponse()
        if response.status != 200:  # noqa: PLR2004 - what HTTP calls success
            raise NoAnswerError(response.read().decode(errors="replace").strip())
        archive.add_tar("images", response)
    finally:
        connection.close()


def _facts(stack: str, commit: str, ids: Mapping[str, str]) -> dict[str, Any]:
    return {
        "format": unbundle.FORMAT,
        "stack": stack,
        "commit": commit,
        "machine": platform.machine(),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "versions": {"pulumi": versions.PULUMI, "plugins": versions.PLUGINS},
        "images": ids,
    }


def _tell_what_is_left(settings: Settings) -> None:
    for model in settings.models:
        if model.base_model.path is not None:
            say(
                f"The base model {model.base_model.path} is not in it: carry its folder with the "
                "times of its files (rsync -a), by which it is known"
            )
