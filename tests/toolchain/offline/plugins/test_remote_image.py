"""Contract of docker.RemoteImage; expectations from `resource_docker_image_funcs.go`, 4.5.0."""

from __future__ import annotations

import grpc
import pytest
from docker.errors import ImageNotFound

from tests.toolchain.offline.plugins.plugin_client import Refused, told
from toolchain.offline.plugins.property_values import UNKNOWN

pytestmark = pytest.mark.engine


@pytest.fixture
def tag(engine, names, test_image):
    """A second name of the test image: an image that is in the store and can be spared."""
    name = names("image") + ":1"
    engine.images.get(test_image).tag(name)
    return name


def test_an_image_that_is_there_is_not_pulled(engine, tag, resource, log):
    image = resource("remote image", tag).create(name=tag, keepLocally=True)
    image_id = engine.images.get(tag).id
    # The official id: the image's id and the name, written together.
    assert image.resource_id == image_id + tag
    assert image.state["imageId"] == image_id
    assert log.of(tag) == []


def test_nothing_to_do_the_second_time_nor_after_a_refresh(tag, resource):
    wanted = {"name": tag, "keepLocally": True}
    image = resource("remote image", "base").create(**wanted)
    assert image.plan(**wanted).changes == {}
    assert image.refresh()
    assert image.plan(**wanted).changes == {}


def test_keep_locally_updates_and_another_name_replaces(tag, resource):
    image = resource("remote image", "base").create(name=tag, keepLocally=True)
    plan = image.plan(name="other:1", keepLocally=False)
    assert plan.kinds() == {"keepLocally": "update", "name": "replace"}
    # No automatic name, so no deletion first: the provider overrides that field.
    assert not plan.delete_first
    assert image.update(name=tag)["imageId"] == image.state["imageId"]


def test_delete_takes_the_name_away_unless_it_is_kept(engine, tag, test_image, resource):
    kept = resource("remote image", "base").create(name=tag, keepLocally=True)
    kept.delete()
    assert engine.images.get(tag)
    kept.update(name=tag, keepLocally=False)
    kept.delete()
    with pytest.raises(ImageNotFound):
        engine.images.get(tag)
    assert engine.images.get(test_image)
    kept.delete()


def test_gone_after_removal_by_hand(engine, tag, resource):
    image = resource("remote image", "base").create(name=tag)
    assert image.refresh()
    engine.images.remove(tag)
    assert not image.refresh()


def test_preview_asks_nobody(resource):
    foretold = resource("remote image", "base").preview(name="registry.invalid/no/such:image")
    assert foretold["imageId"] is foretold["repoDigest"] is UNKNOWN


@pytest.mark.stand_in
def test_an_image_that_cannot_be_pulled_is_tried_again_and_then_named(resource, log):
    with pytest.raises(grpc.RpcError) as failure:
        resource("remote image", "unreachable").create(name="127.0.0.1:9/no/such:image")
    assert "unable to pull image 127.0.0.1:9/no/such:image" in told(failure.value)
    assert any("trying again" in message for message in log.of("unreachable"))


@pytest.mark.stand_in
def test_unserved_property_is_refused_by_name(resource):
    with pytest.raises(Refused, match=r"RemoteImage base: property build is not served"):
        resource("remote image", "base").check(name="x", build={"context": "."})


@pytest.mark.stand_in
def test_a_missing_name_is_refused(resource):
    with pytest.raises(Refused, match="property name is missing"):
        resource("remote image", "base").check()
