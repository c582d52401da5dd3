"""Packages of a Debian or Ubuntu host."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from toolchain.errors import ToolchainError
from toolchain.places import Places
from toolchain.process import as_root, run
from toolchain.progress import Step


def apt_install(
    places: Places, packages: Sequence[str], why: str, *, starts_services: bool = True
) -> None:
    """Install packages and write down which, so that the operator can be told later."""
    if shutil.which("apt-get") is None:
        msg = (
            f"{why}: this needs {' '.join(packages)}, and only Debian and Ubuntu hosts can be set "
            "up by themselves (there is no apt-get here). Install it with the host's own package "
            "manager, then try again."
        )
        raise ToolchainError(msg)
    with Step(f"{why}: installing {' '.join(packages)} with apt-get") as step:
        run(as_root(["apt-get", "update", "-q"]), title="apt-get update", watch=step.update)
        variables = ["DEBIAN_FRONTEND=noninteractive", *([] if starts_services else ["RUNLEVEL=1"])]
        install = ["env", *variables, "apt-get", "install", "-y", "-q"]
        run(
            as_root([*install, "--no-install-recommends", *packages]),
            title=f"apt-get install {' '.join(packages)}",
            watch=step.update,
        )
    record = installed_record(places)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text("\n".join(sorted({*installed_packages(places), *packages})) + "\n")


def installed_packages(places: Places) -> list[str]:
    """Return the packages that earlier runs have installed on this host."""
    record = installed_record(places)
    return record.read_text().split() if record.exists() else []


def installed_record(places: Places) -> Path:
    """Return the file that lists them."""
    return places.cache / "apt-packages.txt"
