"""Markers: the files that say which work is complete, and vouch for it with a token."""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from runtime.docker import archive
from runtime.docker.engine import Engine


def write_marker(
    engine: Engine,
    container: str,
    *,
    root: str,
    marker: str,
    content: Mapping[str, Any],
) -> None:
    """Write a marker where it does not say so already. `root` is a folder that is there.

    What else an older marker says is kept.
    """
    old = archive.read_json(engine, container, marker) or {}
    new = {**old, **content}
    if new != old:
        name = str(PurePosixPath(marker).relative_to(root))
        archive.put_files(engine, container, root, {name: encode_marker(new)})


def encode_marker(content: Mapping[str, Any]) -> bytes:
    """A marker as it lies in its file."""
    return (json.dumps(content, sort_keys=True, ensure_ascii=False) + "\n").encode()
