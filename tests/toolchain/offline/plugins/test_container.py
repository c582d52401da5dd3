"""Contract of docker.Container.

Expectations from terraform-provider-docker 4.5.0, `resource_docker_container.go` (what replaces)
and `resource_docker_container_funcs.go` (what is read back, updated, waited for), and from
pulumi-docker's `resources.go` (`DeleteBeforeReplace`); each was seen on the official plugin.
"""

from __future__ import annotations

import socket
import time

import grpc
import pytest
from docker.errors import NotFound

from tests.toolchain.offline.plugins.plugin_client import Refused, partly_created, told
from toolchain.offline.plugins.property_values import UNKNOWN, from_struct

pytestmark = pytest.mark.engine

FOREVER = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
HEALTHY = {"tests": ["CMD", "true"], "interval": "300ms"}


@pytest.fixture
def base(names, test_image):
    """A container that runs until it is told to end."""
    return {"name": names("box"), "image": test_image, "command": FOREVER}


@pytest.fixture
def rich(base, engine, names, resource):
    """Everything that a service of the stack has."""
    network = resource("network", "net").create(name=names("net"))
    yield {
        **base,
        "envs": ["A=1", "B=2"],
        "labels": [{"label": "x", "value": "1"}, {"label": "y", "value": "2"}],
        "mounts": [
            {"type": "volume", "source": names("vol"), "target": "/data"},
            {"type": "bind", "source": "/tmp", "target": "/host", "readOnly": True},
        ],
        "ports": [{"internal": 80, "external": free_port(), "ip": "127.0.0.1"}],
        "networksAdvanced": [{"name": names("net")}],
        "shmSize": 128,
        "groupAdds": ["44", "27"],
        "securityOpts": ["no-new-privileges:true"],
        "capabilities": {"adds": ["CAP_DAC_OVERRIDE"], "drops": ["ALL"]},
        "readOnly": True,
        "tmpfs": {"/scratch": "exec"},
        "memory": 64,
        "memorySwap": 64,
        "devices": [
            {"hostPath": "/dev/null", "containerPath": "/dev/nothing", "permissions": "rwm"}
        ],
        "healthcheck": {**HEALTHY, "timeout": "10s", "startPeriod": "1m30s", "retries": 3},
        "wait": True,
        "waitTimeout": 30,
        "restart": "unless-stopped",
        "destroyGraceSeconds": 1,
    }
    for container in engine.api.containers(all=True, filters={"name": names("box")}):
        engine.api.remove_container(container["Id"], force=True)
    network.delete()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_all_served_properties_reach_the_engine(engine, names, rich, resource):
    box = resource("container", "box").create(**rich)
    found = engine.containers.get(names("box"))
    host, config = found.attrs["HostConfig"], found.attrs["Config"]
    assert box.resource_id == found.id
    assert set(rich["envs"]) <= set(config["Env"])
    inherited = engine.images.get(rich["image"]).labels
    assert config["Labels"] == {**inherited, "x": "1", "y": "2"}
    assert config["Healthcheck"]["StartPeriod"] == 90_000_000_000
    assert host["ShmSize"] == 128 * 1024 * 1024
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["Init"] is False
    assert {mount["Target"]: mount.get("ReadOnly", False) for mount in host["Mounts"]} == {
        "/data": False,
        "/host": True,
    }
    assert host["Devices"][0]["PathInContainer"] == "/dev/nothing"
    assert sorted(host["GroupAdd"]) == ["27", "44"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert (host["CapAdd"], host["CapDrop"]) == (["CAP_DAC_OVERRIDE"], ["ALL"])
    assert (host["ReadonlyRootfs"], host["Tmpfs"]) == (True, {"/scratch": "exec"})
    assert host["Memory"] == host["MemorySwap"] == 64 * 1024 * 1024
    assert host["IpcMode"] == "private"
    assert list(found.attrs["NetworkSettings"]["Networks"]) == [names("net")]
    assert found.attrs["State"]["Health"]["Status"] == "healthy"


def test_nothing_to_do_the_second_time_nor_after_a_refresh(rich, resource):
    box = resource("container", "box").create(**rich)
    assert box.plan(**rich).changes == {}
    assert box.refresh()
    assert box.plan(**rich).changes == {}


def test_the_order_of_sets_makes_no_difference(rich, resource):
    box = resource("container", "box").create(**rich)
    turned = {key: value[::-1] for key, value in rich.items() if isinstance(value, list)}
    assert box.plan(**{**rich, **turned, "command": rich["command"]}).changes == {}


def test_a_bare_container_is_quiet(base, resource):
    box = resource("container", "box").create(**base)
    assert box.refresh()
    assert box.plan(**base).changes == {}


def test_what_replaces_and_what_updates(names, rich, resource):
    box = resource("container", "box").create(**rich)
    volume, bind = rich["mounts"]
    for changed, kinds in (
        ({"image": "other:1"}, {"image": "replace"}),
        ({"image": UNKNOWN}, {"image": "replace"}),
        ({"envs": ["A=1"]}, {"envs": "replace"}),
        ({"envs": ["A=1", "B=3"]}, {"envs": "replace"}),
        ({"labels": rich["labels"][:1]}, {"labels": "replace"}),
        ({"shmSize": 256}, {"shmSize": "replace"}),
        ({"gpus": "all"}, {"gpus": "replace"}),
        ({"devices": None}, {"devices": "replace"}),
        ({"securityOpts": ["label=disable"]}, {"securityOpts": "replace"}),
        # The engine's own to choose: what is no longer given stays as it is.
        ({"securityOpts": None}, {}),
        ({"command": None}, {}),
        ({"ipcMode": "host"}, {"ipcMode": "replace"}),
        ({"capabilities": {"drops": ["ALL"]}}, {"capabilities": "replace"}),
        ({"capabilities": None}, {"capabilities": "replace"}),
        ({"readOnly": False}, {"readOnly": "replace"}),
        ({"readOnly": None}, {"readOnly": "replace"}),
        ({"tmpfs": {"/scratch": ""}}, {"tmpfs": "update"}),
        ({"tmpfs": None}, {"tmpfs": "update"}),
        ({"memory": 128, "memorySwap": 128}, {"memory": "update", "memorySwap": "update"}),
        ({"memory": None}, {"memory": "update"}),
        # A field of a mount is not ForceNew, and nothing is done about it in the engine either.
        ({"mounts": [{**volume, "source": "other"}, bind]}, {"mounts": "update"}),
        ({"mounts": [{**volume, "source": UNKNOWN}, bind]}, {"mounts": "update"}),
        ({"mounts": [{**volume, "target": "/other"}, bind]}, {"mounts": "update"}),
        ({"mounts": [volume]}, {"mounts": "replace"}),
        ({"mounts": None}, {"mounts": "replace"}),
        ({"healthcheck": {**rich["healthcheck"], "retries": 4}}, {"healthcheck": "update"}),
        ({"restart": "always"}, {"restart": "update"}),
        ({"waitTimeout": 31}, {"waitTimeout": "update"}),
        ({"destroyGraceSeconds": 4}, {"destroyGraceSeconds": "update"}),
    ):
        plan = box.plan(**{**rich, **changed})
        assert plan.kinds() == kinds, changed
        assert plan.delete_first == ("replace" in kinds.values())


def test_a_changed_mount_is_written_down_and_not_applied(engine, names, rich, resource):
    """Why the stack asks for `replace_on_changes=["mounts"]`."""
    box = resource("container", "box").create(**rich)
    moved = {**rich, "mounts": [{**rich["mounts"][0], "source": names("other")}, rich["mounts"][1]]}
    box.update(**moved)
    mounts = engine.containers.get(box.resource_id).attrs["HostConfig"]["Mounts"]
    assert names("other") not in {mount["Source"] for mount in mounts}
    assert box.plan(**moved).changes == {}
    assert box.refresh()
    assert "mounts[0].source" in box.plan(**moved).changes
    assert box.plan(**moved).kinds() == {"mounts": "update"}


def test_the_restart_policy_changes_in_place(engine, base, resource):
    box = resource("container", "box").create(**base)
    wanted = {**base, "restart": "unless-stopped"}
    assert box.plan(**wanted).changes == {"restart": "update"}
    box.update(**wanted)
    host = engine.containers.get(box.resource_id).attrs["HostConfig"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert box.refresh()
    assert box.plan(**wanted).changes == {}


def test_the_limit_of_memory_changes_in_place(engine, base, resource):
    box = resource("container", "box").create(**base, memory=64, memorySwap=64)
    wanted = {**base, "memory": 128, "memorySwap": 128}
    box.update(**wanted)
    host = engine.containers.get(box.resource_id).attrs["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 128 * 1024 * 1024
    assert box.refresh()
    assert box.plan(**wanted).changes == {}


def test_the_hosts_ipc_is_told_and_read_back(engine, base, resource):
    wanted = {**base, "ipcMode": "host"}
    box = resource("container", "box").create(**wanted)
    assert engine.containers.get(box.resource_id).attrs["HostConfig"]["IpcMode"] == "host"
    assert box.refresh()
    assert box.plan(**wanted).changes == {}


def test_a_log_that_goes_elsewhere_is_told_and_read_back(engine, base, resource):
    options = {"syslog-address": "udp://127.0.0.1:9"}
    wanted = {**base, "logDriver": "syslog", "logOpts": options}
    box = resource("container", "box").create(**wanted)
    config = engine.containers.get(box.resource_id).attrs["HostConfig"]["LogConfig"]
    assert config == {"Type": "syslog", "Config": options}
    assert box.refresh()
    assert box.plan(**wanted).changes == {}
    assert box.plan(**base).changes == {"logOpts": "delete_replace"}


def test_a_port_for_datagrams_is_none_for_connections(engine, base, resource):
    port = {"internal": 9000, "external": 0, "ip": "127.0.0.1"}
    wanted = {**base, "ports": [{**port, "protocol": "udp"}]}
    box = resource("container", "box").create(**wanted)
    ports = engine.containers.get(box.resource_id).attrs["NetworkSettings"]["Ports"]
    assert ports["9000/udp"]


def test_gone_after_removal_by_hand(engine, base, resource):
    box = resource("container", "box").create(**base)
    engine.containers.get(box.resource_id).remove(force=True)
    assert not box.refresh()
    box.delete()


def test_stopped_by_hand_is_started_again_by_the_next_update(engine, base, resource):
    box = resource("container", "box").create(**base)
    engine.containers.get(box.resource_id).kill()
    assert box.refresh()
    assert box.state["mustRun"] is False
    assert box.state["exitCode"] == 137
    plan = box.plan(**base)
    assert plan.changes == {"mustRun": "update"}
    box.update(**base)
    assert engine.containers.get(box.resource_id).status == "running"
    assert box.plan(**base).changes == {}


def test_stopped_by_hand_with_a_port_is_replaced(engine, rich, resource):
    box = resource("container", "box").create(**rich)
    engine.containers.get(box.resource_id).stop(timeout=0)
    assert box.refresh()
    plan = box.plan(**rich)
    assert plan.replaces == ["ports"]
    assert set(plan.changes) == {"mustRun", "ports"}


def test_ports_differ_by_content_only(base, rich, resource):
    ports = [*rich["ports"], {"internal": 90, "external": free_port(), "ip": "127.0.0.1"}]
    wanted = {**base, "ports": ports}
    box = resource("container", "box").create(**wanted)
    assert box.plan(**{**wanted, "ports": ports[::-1]}).changes == {}
    assert box.plan(**{**wanted, "ports": ports[:1]}).replaces == ["ports"]
    any_external = [ports[0], {"internal": 90, "ip": "127.0.0.1"}]
    assert box.plan(**{**wanted, "ports": any_external}).changes == {}


@pytest.mark.parametrize(
    "check", [{"tests": ["CMD", "false"], "interval": "300ms"}, None], ids=["unhealthy", "none"]
)
def test_a_container_that_does_not_come_up_is_kept_and_replaced(check, base, resource):
    wanted = {**base, "wait": True, "waitTimeout": 1}
    if check:
        wanted["healthcheck"] = check
    box = resource("container", "box")
    with pytest.raises(grpc.RpcError) as failure:
        box.create(**wanted)
    details = partly_created(failure.value)
    assert ("healthy state" if check else "healthcheck defined") in details.reasons[0]
    box.resource_id, box.state = details.id, from_struct(details.properties)
    box.inputs = box.check(**wanted)
    plan = box.plan(**wanted)
    assert "entrypoints" in plan.replaces
    assert plan.delete_first
    assert box.refresh()
    box.delete()
    assert not box.refresh()


@pytest.mark.stand_in
def test_a_container_that_ends_while_it_is_waited_for_says_so_at_once(base, resource):
    wanted = {**base, "command": ["sh", "-c", "echo last words; exit 7"], "healthcheck": HEALTHY}
    started = time.monotonic()
    with pytest.raises(grpc.RpcError) as failure:
        resource("container", "box").create(**wanted, wait=True, waitTimeout=30)
    assert time.monotonic() - started < 10
    assert "exit code 7" in told(failure.value)
    assert "last words" in told(failure.value)


def test_a_container_that_cannot_start_is_replaced_by_the_next_update(base, resource):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = {"internal": 80, "external": taken.getsockname()[1], "ip": "127.0.0.1"}
        wanted = {**base, "ports": [port]}
        box = resource("container", "box")
        with pytest.raises(grpc.RpcError) as failure:
            box.create(**wanted)
    details = partly_created(failure.value)
    assert "address already in use" in details.reasons[0]
    box.resource_id, box.state = details.id, from_struct(details.properties)
    box.inputs = box.check(**wanted)
    plan = box.plan(**wanted)
    assert "entrypoints" in plan.replaces
    assert plan.delete_first
    box.delete()
    box.create(**wanted)
    assert box.plan(**wanted).changes == {}


def test_delete_gives_the_grace_that_is_set(engine, base, resource):
    box = resource("container", "box").create(**base, destroyGraceSeconds=5)
    box.delete()
    with pytest.raises(NotFound):
        engine.containers.get(box.resource_id)


def test_preview_makes_nothing_and_keeps_unknowns(engine, base, names, resource):
    foretold = resource("container", "box").preview(**{**base, "image": UNKNOWN})
    assert foretold["image"] is UNKNOWN
    assert foretold["hostname"] is UNKNOWN
    assert foretold["name"] == names("box")
    assert engine.containers.list(all=True, filters={"name": names("box")}) == []


def test_an_image_by_digest_is_compared_by_digest(engine, base, test_image, resource):
    wanted = {**base, "image": engine.images.get(test_image).id}
    box = resource("container", "box").create(**wanted)
    assert box.refresh()
    assert box.plan(**wanted).changes == {}


@pytest.mark.stand_in
def test_unserved_properties_are_refused_at_every_depth(base, resource):
    with pytest.raises(Refused) as refusal:
        resource("container", "box").check(
            **base,
            dns=["1.1.1.1"],
            mustRun=False,
            mounts=[{"type": "bind", "target": "/x", "bindOptions": {"propagation": "shared"}}],
        )
    assert set(refusal.value.reasons) == {"dns", "mustRun", "mounts[0].bindOptions"}
    assert all("official docker plugin" in reason for reason in refusal.value.reasons.values())


@pytest.mark.stand_in
def test_values_that_the_schema_forbids_are_refused(base, resource):
    with pytest.raises(Refused) as refusal:
        resource("container", "box").check(
            **base, restart="sometimes", gpus="device=0", shmSize="1g", wait=1
        )
    assert set(refusal.value.reasons) == {"restart", "gpus", "shmSize", "wait"}


def test_the_bridges_defaults_are_listed(base, resource):
    inputs = resource("container", "box").check(**base, ports=[{"internal": 80}])
    assert set(inputs["__defaults"]) == {
        "containerReadRefreshTimeoutMilliseconds",
        *("mustRun", "networkMode", "removeVolumes", "restart", "start", "waitTimeout"),
    }
    assert inputs["ports"][0]["ip"] == "0.0.0.0"  # noqa: S104 - the official default
    assert inputs["ports"][0]["__defaults"] == ["ip", "protocol"]
