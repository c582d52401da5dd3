"""Contract of docker.Network; expectations from `resource_docker_network.go`, 4.5.0."""

from __future__ import annotations

import grpc
import pytest
from docker.errors import NotFound

from tests.toolchain.offline.plugins.plugin_client import Refused, told
from toolchain.offline.plugins.property_values import UNKNOWN

pytestmark = pytest.mark.engine

LABELS = [{"label": "a", "value": "1"}, {"label": "b", "value": "2"}]


def test_create_then_nothing_to_do(engine, names, resource):
    wanted = {"name": names("net"), "labels": LABELS}
    network = resource("network", "net").create(**wanted)
    found = engine.networks.get(network.resource_id)
    assert found.attrs["Name"] == names("net")
    assert found.attrs["Labels"] == {"a": "1", "b": "2"}
    assert network.state["driver"] == "bridge"
    assert network.state["scope"] == "local"
    assert network.plan(**{**wanted, "labels": LABELS[::-1]}).changes == {}


def test_every_change_replaces_and_deletes_first(names, resource):
    network = resource("network", "net").create(name=names("net"), labels=LABELS)
    plan = network.plan(name=names("other"), labels=LABELS[:1])
    assert plan.kinds() == {"labels": "replace", "name": "replace"}
    assert plan.delete_first


def test_gone_after_removal_by_hand_and_delete_does_not_mind(engine, names, resource):
    network = resource("network", "net").create(name=names("net"))
    assert network.refresh()
    engine.networks.get(network.resource_id).remove()
    assert not network.refresh()
    network.delete()


def test_delete_removes_it(engine, names, resource):
    network = resource("network", "net").create(name=names("net"))
    network.delete()
    with pytest.raises(NotFound):
        engine.networks.get(network.resource_id)


def test_preview_makes_nothing(engine, names, resource):
    foretold = resource("network", "net").preview(name=names("net"))
    assert foretold["scope"] is UNKNOWN
    assert engine.networks.list(names=[names("net")]) == []


@pytest.mark.stand_in
def test_unserved_property_is_refused_by_name(resource):
    with pytest.raises(Refused, match="property internal is not served"):
        resource("network", "net").check(name="x", internal=True)


def test_a_second_network_of_the_name_is_the_engines_error_in_one_line(names, resource):
    resource("network", "net").create(name=names("net"))
    with pytest.raises(grpc.RpcError) as failure:
        resource("network", "again").create(name=names("net"))
    assert "already exists" in told(failure.value)
    assert "Traceback" not in told(failure.value)
