"""Images as the engine has them."""

from collections.abc import Mapping
from typing import Any

from runtime.docker.engine import Engine
from runtime.failure import MissingError


def inspect_image(engine: Engine, image: str) -> Mapping[str, Any] | None:
    """What the engine knows of an image, by its reference or id; None where it is not there."""
    try:
        with engine.calls() as api:
            found: Mapping[str, Any] = api.inspect_image(image)  # type: ignore[no-untyped-call]
    except MissingError:
        return None
    return found
