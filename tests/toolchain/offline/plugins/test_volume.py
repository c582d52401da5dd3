"""Contract of docker.Volume; expectations from terraform-provider-docker's volume resource.

That is `resource_docker_volume.go`, version 4.5.0, behind Pulumi's bridge.
"""

from __future__ import annotations

import pytest
from docker.errors import NotFound

from tests.toolchain.offline.plugins.plugin_client import Refused
from toolchain.offline.plugins.property_values import UNKNOWN

pytestmark = pytest.mark.engine

LABELS = [{"label": "a", "value": "1"}, {"label": "b", "value": "2"}]


def test_create_is_in_the_engine_and_its_id_is_its_name(engine, names, resource):
    volume = resource("volume", "data").create(name=names("data"), labels=LABELS)
    found = engine.volumes.get(names("data"))
    assert volume.resource_id == names("data")
    assert found.attrs["Labels"] == {"a": "1", "b": "2"}
    assert volume.state["driver"] == "local"
    assert volume.state["mountpoint"] == found.attrs["Mountpoint"]


def test_nothing_to_do_the_second_time_whatever_the_labels_order(names, resource):
    volume = resource("volume", "data").create(name=names("data"), labels=LABELS)
    assert volume.plan(name=names("data"), labels=LABELS).changes == {}
    assert volume.plan(name=names("data"), labels=LABELS[::-1]).changes == {}


def test_every_change_replaces_and_a_given_name_is_deleted_first(names, resource):
    # ForceNew on all attributes; the bridge's nameRequiresDeleteBeforeReplace.
    volume = resource("volume", "data").create(name=names("data"), labels=LABELS)
    plan = volume.plan(name=names("data"), labels=LABELS[:1])
    assert plan.kinds() == {"labels": "replace"}
    assert plan.delete_first
    plan = volume.plan(name=names("other"), labels=LABELS)
    assert plan.replaces == ["name"]


def test_gone_after_removal_by_hand(engine, names, resource):
    volume = resource("volume", "data").create(name=names("data"))
    assert volume.refresh()
    engine.volumes.get(names("data")).remove()
    assert not volume.refresh()


def test_drift_shows_after_the_volume_was_made_again_by_hand(engine, names, resource):
    volume = resource("volume", "data").create(name=names("data"), labels=LABELS)
    engine.volumes.get(names("data")).remove()
    engine.volumes.create(names("data"), labels={"a": "changed"})
    assert volume.refresh()
    assert volume.plan(name=names("data"), labels=LABELS).kinds() == {"labels": "replace"}


def test_delete_removes_it_and_does_not_mind_that_it_is_gone(engine, names, resource):
    volume = resource("volume", "data").create(name=names("data"))
    volume.delete()
    with pytest.raises(NotFound):
        engine.volumes.get(names("data"))
    volume.delete()


def test_preview_makes_nothing_and_leaves_the_engines_choices_open(engine, names, resource):
    foretold = resource("volume", "data").preview(name=names("data"))
    assert foretold["name"] == names("data")
    assert foretold["mountpoint"] is foretold["driver"] is UNKNOWN
    assert engine.volumes.list(filters={"name": names("data")}) == []


def test_unknown_name_stays_unknown_in_preview(resource):
    assert resource("volume", "data").preview(name=UNKNOWN)["name"] is UNKNOWN


@pytest.mark.stand_in
def test_what_is_not_served_is_refused_by_name(resource):
    with pytest.raises(Refused, match=r"Volume data: property driver is not served.*official"):
        resource("volume", "data").check(name="x", driver="local")
    with pytest.raises(Refused, match="Volume data: property name is missing"):
        resource("volume", "data").check()


@pytest.mark.stand_in
def test_wrong_types_are_refused_all_at_once(resource):
    with pytest.raises(Refused) as refusal:
        resource("volume", "data").check(name=["x"], labels=[{"label": "a"}])
    assert set(refusal.value.reasons) == {"name", "labels[0].value"}
