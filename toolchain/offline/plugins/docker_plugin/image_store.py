"""Images in the engine's store: finding one, and pulling one that is not there.

By `findImage` of terraform-provider-docker: an image that is there is not pulled again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from toolchain.offline.plugins.docker_plugin.engine import Engine, explained, is_not_found
from toolchain.offline.plugins.errors import PluginError
from toolchain.offline.plugins.provider import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

_PULL_ATTEMPTS = 3
_FIRST_PAUSE_SECONDS = 1
_PROGRESS_SECONDS = 1.0
# What no second attempt can mend.
_FINAL_ERRORS = ("not found", "manifest unknown", "unauthorized", "denied", "invalid reference")


def inspect_image(engine: Engine, name: str) -> dict[str, Any] | None:
    """The image of a name or id, if it is in the store."""
    try:
        with explained(f"unable to inspect image {name}"):
            found: dict[str, Any] = engine.client.inspect_image(name)  # type: ignore[no-untyped-call]
            return found
    except PluginError as error:
        if is_not_found(error):
            return None
        raise


def find_image(engine: Engine, operation: Operation, name: str) -> dict[str, Any]:
    """The image of a name, pulled when it is not in the store."""
    found = inspect_image(engine, name)
    if found is None:
        _pull_with_retries(engine, operation, name)
        found = inspect_image(engine, name)
    if found is None:
        msg = f"unable to find or pull image {name}"
        raise PluginError(msg)
    return found


def _pull_with_retries(engine: Engine, operation: Operation, name: str) -> None:
    for attempt in range(1, _PULL_ATTEMPTS + 1):
        try:
            with explained(f"unable to pull image {name}"):
                _pull(engine, operation, name)
        except PluginError as error:
            hopeless = any(text in str(error).lower() for text in _FINAL_ERRORS)
            if hopeless or attempt == _PULL_ATTEMPTS:
                raise
            pause = _FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)
            operation.log.status(f"{error}; trying again in {pause} s")
            operation.sleep(pause)
        else:
            return


def _pull(engine: Engine, operation: Operation, name: str) -> None:
    by_digest_or_tag = "@" in name or ":" in name.rsplit("/", 1)[-1]
    records: Iterator[dict[str, Any]] = engine.client.pull(
        name,
        tag=None if by_digest_or_tag else "latest",
        stream=True,
        decode=True,
    )
    layers: dict[str, tuple[int, int]] = {}
    shown = 0.0
    for record in records:
        operation.check_cancelled()
        if "error" in record:
            raise PluginError(f"unable to pull image {name}: {record['error']}")
        detail = record.get("progressDetail") or {}
        if detail.get("total"):
            layers[record["id"]] = (detail.get("current", 0), detail["total"])
        if layers and time.monotonic() - shown > _PROGRESS_SECONDS:
            shown = time.monotonic()
            done, total = (sum(sizes) for sizes in zip(*layers.values(), strict=True))
            operation.log.status(f"{record['status']}: {done >> 20} of {total >> 20} MiB")
