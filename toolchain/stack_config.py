"""A stack's configuration file as the CLI gets it.

With a passphrase, Pulumi keeps a salt in Pulumi.<stack>.yaml. The salt belongs to one host's state,
so it does not go into the committed file: the CLI gets a copy that lies in the state folder.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from toolchain.errors import ToolchainError
from toolchain.places import Places
from toolchain.process import run

SECRETS_KEYS = ("encryptionsalt", "encryptedkey", "secretsprovider")
"""What `pulumi stack init` writes."""


def committed_config(places: Places, stack: str) -> Path:
    """Return the stack's file in the repository."""
    path = places.repository / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        known = sorted(p.name.split(".")[1] for p in places.repository.glob("Pulumi.*.yaml"))
        msg = (
            f"stack {stack!r} has no {path.name} in {places.repository}; "
            f"there is one for: {', '.join(known) or 'no stack at all'}. "
            f"Choose one of them (make up STACK=...), or make it: make new STACK={stack} FROM=dev."
        )
        raise ToolchainError(msg)
    return path


def config_copy(places: Places, stack: str) -> Path:
    """Return where the copy lies."""
    return places.stack_configs / f"Pulumi.{stack}.yaml"


def refresh_copy(places: Places, stack: str, secrets_keys: Mapping[str, Any]) -> Path:
    """Bring the copy up to date with the committed file and what opens the stack's secrets."""
    copy = config_copy(places, stack)
    write(copy, merged(read(committed_config(places, stack)), secrets_keys))
    return copy


def merged(committed: Mapping[str, Any], secrets: Mapping[str, Any]) -> dict[str, Any]:
    """Return the committed configuration with the secrets keys of this host; committed ones win."""
    kept = {key: secrets[key] for key in SECRETS_KEYS if key in secrets}
    return {**kept, **committed}


def init_stack(places: Places, stack: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Create the stack in the backend, away from the repository; return what its file has then."""
    source = committed_config(places, stack)
    with tempfile.TemporaryDirectory(prefix="finetune-stack-") as name:
        folder = Path(name)
        shutil.copy(places.repository / "Pulumi.yaml", folder)
        shutil.copy(source, folder)
        run(
            ["pulumi", "stack", "init", stack, "--no-select", "--non-interactive"],
            title=f"creating the stack {stack}",
            env=environment,
            cwd=folder,
        )
        return read(folder / source.name)


def write(path: Path, config: Mapping[str, Any]) -> None:
    """Write a configuration, readable by its owner only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(dict(config), sort_keys=False))


def read(path: Path) -> dict[str, Any]:
    """Read a configuration."""
    try:
        loaded = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        msg = f"{path} is not valid YAML: {error}"
        raise ToolchainError(msg) from error
    if not isinstance(loaded, dict):
        msg = f"{path} holds {type(loaded).__name__}; a stack's configuration is a mapping"
        raise ToolchainError(msg)
    return loaded
