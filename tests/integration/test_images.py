"""Images that are removed by hand are there again after the next `up` (F3).

Takes some seconds.
"""

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plan.image import ImagesPlan
from tests.integration.conftest import Engine
from tests.integration.stack import Stack

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]

IMAGES = ["pipeline", "*-host-check*", "*-images*"]


@pytest.fixture
def base(engine: Engine, images: ImagesPlan) -> Iterator[str]:
    """The training image by a name of our own: what is built on it is no other stack's image."""
    repository, tag = "finetune-stack-test/base", secrets.token_hex(4)
    engine.client.images.get(images.llamafactory.reference).tag(repository, tag)
    yield f"{repository}:{tag}"
    engine.client.images.remove(f"{repository}:{tag}")


def test_an_image_removed_by_hand_is_built_again(engine: Engine, base: str, home: Path):
    stack = Stack(home)
    stack.settings["images"]["converter"] = {"base_image": base}
    try:
        assert "create" in changes(stack)
        (image,) = (
            resource["outputs"]["imageName"]
            for resource in stack.resources()
            if resource["urn"].endswith("pipeline-images-converter")
        )
        moment = time.time()
        engine.client.images.remove(image, force=True)
        assert changes(stack) == {"update": 1}
        assert engine.client.images.get(image)
        assert engine.started_since(stack, moment) == []
        assert changes(stack) == {}
        engine.client.images.remove(image)
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)


def changes(stack: Stack) -> dict[str, int]:
    """What an `up` of the images alone has done."""
    update = stack.up(targets=IMAGES)
    assert update.returncode == 0, update.output
    return {what: count for what, count in update.changes.items() if what != "same"}
