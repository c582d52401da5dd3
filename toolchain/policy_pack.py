"""The policy pack that judges a stack, where the team has said how."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from toolchain.places import Places

PACK = "policy"
BESIDE_OLD_HOST = "toolchain/offline/policy_pack"
"""The same pack, by a way that the offline kit's language host has."""


def policy_options(places: Places, stack: str, environment: Mapping[str, str]) -> list[str]:
    """The CLI's options for a stack that is judged; none for one without a file of levels."""
    config = levels(places, stack)
    if not config.is_file():
        return []
    folder = places.repository / pack(environment)
    return ["--policy-pack", str(folder), "--policy-pack-config", str(config)]


def levels(places: Places, stack: str) -> Path:
    """The file that makes a stack judged: the level of each rule, and what it takes."""
    return places.repository / PACK / "stacks" / f"{stack}.json"


def pack(environment: Mapping[str, str]) -> str:
    """The folder that the CLI of an environment can run, below the repository.

    The offline kit's language host is started by a script, the official one is a binary.
    """
    host = shutil.which("pulumi-language-python", path=environment.get("PATH"))
    is_script = host is not None and Path(host).read_bytes()[:2] == b"#!"
    return BESIDE_OLD_HOST if is_script else PACK
