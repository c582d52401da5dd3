"""Everything that a stack needs of this host, in order; a second run finds it there."""

from __future__ import annotations

import shutil
from pathlib import Path

from toolchain.apt import apt_install
from toolchain.cli import Cli, ensure_cli
from toolchain.engine import ensure_engine
from toolchain.engine_choice import EngineChoice
from toolchain.environment import ensure_state, pulumi_environment
from toolchain.offline.go import find_uv
from toolchain.places import Places
from toolchain.plugin_cache import ensure_plugins
from toolchain.process import run


def set_up(places: Places, choice: EngineChoice) -> dict[str, str]:
    """Bring the host to where a stack can go up; return the environment to run it in."""
    environment = set_up_tools(places, choice)
    # An engine elsewhere pulls what it builds from by itself, when the stack goes up.
    if not choice.is_elsewhere:
        # The docker SDK takes a moment to import: not before it is needed.
        from toolchain.offline.base_image import ensure_base_images  # noqa: PLC0415

        ensure_base_images(places, choice.host)
    return environment


def set_up_tools(places: Places, choice: EngineChoice) -> dict[str, str]:
    """Only what `pulumi destroy` needs: the engine, the CLI, its plugins, the state."""
    ensure_engine(places, choice)
    return set_up_cli(places)


def set_up_tests(places: Places) -> None:
    """What tests need beside a stack: sshd, a registry, a browser, Prometheus; none is started."""
    if not Path("/usr/sbin/sshd").exists():
        why = "an engine behind ssh is tested"
        apt_install(places, ["openssh-server"], why, starts_services=False)
    if shutil.which("docker-registry") is None:
        why = "models are published to a registry"
        apt_install(places, ["docker-registry"], why, starts_services=False)
    if shutil.which("chromium") is None:
        why = "the report is looked at as a person would"
        apt_install(places, ["chromium", "fonts-dejavu-core"], why, starts_services=False)
    if shutil.which("prometheus") is None:
        why = "the metrics are scraped as an operator does"
        apt_install(places, ["prometheus"], why, starts_services=False)
    words = ["sync", "--frozen", "--inexact", "--quiet", "--group", "browser"]
    title = "installing what drives the browser"
    run([find_uv(places), *words], title=title, cwd=places.repository)


def set_up_cli(places: Places) -> dict[str, str]:
    """Only the CLI, its plugins and the state."""
    ensure_state(places)
    cli: Cli = ensure_cli(places)
    environment = pulumi_environment(places, cli.folder)
    ensure_plugins(places, cli, environment)
    return environment
