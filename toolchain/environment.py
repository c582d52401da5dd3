"""The environment that the CLI, its plugins and the tests run in."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from toolchain.places import Places


def pulumi_environment(
    places: Places, cli_folder: Path, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the caller's environment with the pinned tools first and Pulumi's settings made.

    What the operator has set for Pulumi's backend and passphrase stays as it is.
    """
    return {**environ, **pulumi_settings(places, cli_folder, environ)}


def pulumi_settings(
    places: Places, cli_folder: Path, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return only what differs from the caller's environment."""
    path = [str(places.venv / "bin"), str(cli_folder)]
    path += [part for part in environ.get("PATH", os.defpath).split(":") if part not in path]
    settings = {
        "PATH": ":".join(path),
        "VIRTUAL_ENV": str(places.venv),
        "PULUMI_HOME": str(places.pulumi_home),
        "PULUMI_BACKEND_URL": places.backend_url,
        # The version is pinned: a notice about newer ones is noise.
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    if not has_own_passphrase(environ):
        settings["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(places.passphrase)
    return settings


def has_own_passphrase(environ: Mapping[str, str]) -> bool:
    """Tell whether the operator brings a passphrase; an empty one is one too, as for Pulumi."""
    return "PULUMI_CONFIG_PASSPHRASE" in environ or bool(
        environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    )


def ensure_state(places: Places, environ: Mapping[str, str] = os.environ) -> None:
    """Make the state folder and, where the operator brings none, a random passphrase."""
    places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if places.local_backend is not None:
        # The CLI makes no folder for a file backend.
        places.local_backend.mkdir(parents=True, exist_ok=True)
    if has_own_passphrase(environ):
        return
    try:
        # Created with its final mode: there is no moment in which others can read it.
        descriptor = os.open(places.passphrase, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as handle:
        handle.write(secrets.token_urlsafe(32) + "\n")
