"""Contract of docker.Container.

Expectations from terraform-provider-docker 4.5.0, `resource_docker_container.go` (what replaces)
and `resource_docker_container_funcs.go` (what is read back, updated, waited for), and from
pulumi-docker's `resources.go` (`DeleteBeforeReplace`).
"""

from __future__ import annotations

import socket
import time

import grpc
import pytest
from docker.errors import NotFound

from tests.toolchain.offline.plugins.plugin_client import Refused, in_parallel, partly_created
from toolchain.offline.plugins.property_values import UNKNOWN, from_struct

pytestmark = pytest.mark.engine

FOREVER = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
HEALTHY = {"tests": ["CMD", "true"], "interval": "300ms"}


@pytest.fixture
def base(names, test_image):
    """A container that runs, without a network, until it is told to end."""
    return {
        "name": names("box"),
        "image": test_image,
        "command": FOREVER,
        "networkMode": "none",
    }


@pytest.fixture
def rich(base, names):
    return {
        **base,
        "envs": ["A=1", "B=2"],
        "labels": [{"label": "x", "value": "1"}, {"label": "y", "value": "2"}],
        "mounts": [
            {"type": "volume", "source": names("vol"), "target": "/data"},
            {"type": "tmpfs", "target": "/scratch"},
        ],
        "volumes": [{"volumeName": names("more"), "containerPath": "/more", "readOnly": True}],
        "tmpfs": {"/run": "size=1m"},
        "shmSize": 128,
        "user": "0:0",
        "groupAdds": ["44", "27"],
        "workingDir": "/data",
        "hostname": "box",
        "init": True,
        "ipcMode": "private",
        "securityOpts": ["no-new-privileges"],
        "sysctls": {"net.ipv4.ip_forward": "0"},
        "ulimits": [
            {"name": "nofile", "soft": 1024, "hard": 2048},
            {"name": "core", "soft": 0, "hard": 0},
        ],
        "capabilities": {"drops": ["CAP_MKNOD", "CAP_CHOWN"]},
        "devices": [{"hostPath": "/dev/null", "containerPath": "/dev/nothing"}],
        "healthcheck": {**HEALTHY, "interval": "1m30s"},
        "restart": "on-failure",
        "stopTimeout": 3,
        "cpus": "0.5",
        "memory": 64,
        "memorySwap": 64,
        "logOpts": {"max-size": "1m"},
        "logDriver": "json-file",
        "hosts": [{"host": "here", "ip": "127.0.0.1"}],
        "uploads": [{"file": "/etc/greeting", "content": "hello", "permissions": "0600"}],
        "destroyGraceSeconds": 1,
    }


def test_all_served_properties_reach_the_engine(engine, names, rich, resource):
    box = resource("container", "box").create(**rich)
    found = engine.containers.get(names("box"))
    host, config = found.attrs["HostConfig"], found.attrs["Config"]
    assert box.resource_id == found.id
    assert set(rich["envs"]) <= set(config["Env"])
    inherited = engine.images.get(rich["image"]).labels
    assert config["Labels"] == {**inherited, "x": "1", "y": "2"}
    assert config["Healthcheck"]["Interval"] == 90_000_000_000
    assert host["ShmSize"] == 128 * 1024 * 1024
    assert host["NanoCpus"] == 500_000_000
    assert host["RestartPolicy"]["Name"] == "on-failure"
    assert host["Init"] is True
    assert host["Binds"] == [f"{names('more')}:/more:ro"]
    assert {mount["Target"] for mount in host["Mounts"]} == {"/data", "/scratch"}
    assert host["Devices"][0]["PathInContainer"] == "/dev/nothing"
    assert found.exec_run(["cat", "/etc/greeting"]).output == b"hello"


def test_nothing_to_do_the_second_time_nor_after_a_refresh(rich, resource):
    box = resource("container", "box").create(**rich)
    assert box.plan(**rich).changes == {}
    assert box.refresh()
    assert box.plan(**rich).changes == {}


def test_the_order_of_sets_makes_no_difference(rich, resource):
    box = resource("container", "box").create(**rich)
    turned = {key: value[::-1] for key, value in rich.items() if isinstance(value, list)}
    turned["command"] = rich["command"]
    turned["capabilities"] = {"drops": rich["capabilities"]["drops"][::-1]}
    assert box.plan(**{**rich, **turned}).changes == {}


def test_a_bare_container_is_quiet(base, resource):
    box = resource("container", "box").create(**base)
    assert box.refresh()
    assert box.plan(**base).changes == {}


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"image": "other:1"}, "update_replace"),
        ({"command": ["true"]}, "update_replace"),
        ({"envs": ["A=1"]}, "add_replace"),
        ({"shmSize": 256}, "update_replace"),
        ({"gpus": "all"}, "add_replace"),
        ({"networkMode": "host"}, "update_replace"),
        ({"user": "1"}, "add_replace"),
        ({"restart": "always"}, "update"),
        ({"memory": 32}, "add"),
        # Not ForceNew, and nothing is done about it in the engine either.
        ({"healthcheck": HEALTHY}, "add"),
        ({"destroyGraceSeconds": 4}, "add"),
        ({"wait": True}, "update"),
    ],
)
def test_what_replaces_and_what_updates(changed, kind, base, resource, test_image):
    box = resource("container", "box")
    box.inputs = box.check(**base)
    box.state = {**box.inputs, "shmSize": 64}
    plan = box.plan(**{**base, **changed})
    assert plan.changes == {next(iter(changed)): kind}
    assert plan.delete_first == kind.endswith("_replace")


def test_restart_and_memory_change_in_place(engine, base, resource):
    box = resource("container", "box").create(**base)
    wanted = {**base, "restart": "unless-stopped", "memory": 64, "memorySwap": 64}
    assert box.plan(**wanted).replaces == []
    box.update(**wanted)
    host = engine.containers.get(box.resource_id).attrs["HostConfig"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["Memory"] == 64 * 1024 * 1024
    assert box.refresh()
    assert box.plan(**wanted).changes == {}


def test_memory_without_swap_differs_as_it_does_officially(base, resource):
    # The engine sets the swap to twice the memory; `memory_swap` is not Computed in the schema.
    wanted = {**base, "memory": 64}
    box = resource("container", "box").create(**wanted)
    assert box.plan(**wanted).changes == {"memorySwap": "delete"}


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


def test_stopped_by_hand_is_left_alone_where_it_need_not_run(engine, base, resource):
    wanted = {**base, "mustRun": False}
    box = resource("container", "box").create(**wanted)
    engine.containers.get(box.resource_id).stop(timeout=0)
    assert box.refresh()
    assert box.plan(**wanted).changes == {}


def test_ports_differ_by_content_only(base, names, resource):
    ports = [
        {"internal": 90, "external": 49153, "ip": "127.0.0.1"},
        {"internal": 80, "external": 49152, "ip": "127.0.0.1"},
    ]
    box = resource("container", "box")
    box.inputs = box.check(**base, ports=ports)
    # As the engine reports them: sorted, and with the protocol.
    box.state = {**box.inputs, "ports": [{**port, "protocol": "tcp"} for port in ports[::-1]]}
    assert box.plan(**base, ports=ports).changes == {}
    assert box.plan(**base, ports=ports[:1]).replaces == ["ports"]
    any_external = [{"internal": 90, "ip": "127.0.0.1"}, ports[1]]
    assert box.plan(**base, ports=any_external).changes == {}


def test_networks_are_joined_under_their_aliases(engine, base, names, resource):
    network = resource("network", "net").create(name=names("net"))
    wanted = {
        **base,
        "networkMode": "bridge",
        "networksAdvanced": [{"name": names("net"), "aliases": ["web", "api"]}],
        "ports": [{"internal": 80, "ip": "127.0.0.1"}],
    }
    box = resource("container", "box").create(**wanted)
    joined = engine.containers.get(box.resource_id).attrs["NetworkSettings"]["Networks"]
    assert list(joined) == [names("net")]
    assert {"web", "api"} <= set(joined[names("net")]["Aliases"])
    assert box.state["networkDatas"][0]["networkName"] == names("net")
    assert box.plan(**wanted).changes == {}
    box.delete()
    network.delete()


def test_wait_returns_when_the_container_is_healthy(engine, base, resource):
    box = resource("container", "box").create(**base, healthcheck=HEALTHY, wait=True)
    found = engine.containers.get(box.resource_id)
    assert found.attrs["State"]["Health"]["Status"] == "healthy"


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({"tests": ["CMD", "false"], "interval": "300ms"}, "waitTimeout"),
        (None, "no health check"),
    ],
)
def test_a_container_that_does_not_come_up_stays_in_the_state(check, message, base, resource):
    wanted = {**base, "wait": True, "waitTimeout": 1}
    if check:
        wanted["healthcheck"] = check
    box = resource("container", "box")
    with pytest.raises(grpc.RpcError) as failure:
        box.create(**wanted)
    details = partly_created(failure.value)
    assert message in details.reasons[0]
    box.resource_id = details.id
    assert box.refresh()
    box.delete()
    assert not box.refresh()


def test_a_container_that_ends_while_it_is_waited_for_says_so_at_once(base, resource):
    wanted = {**base, "command": ["sh", "-c", "echo last words; exit 7"], "healthcheck": HEALTHY}
    started = time.monotonic()
    with pytest.raises(grpc.RpcError) as failure:
        resource("container", "box").create(**wanted, wait=True, waitTimeout=30)
    assert time.monotonic() - started < 10
    assert "exit code 7" in failure.value.details()
    assert "last words" in failure.value.details()


def test_a_container_that_cannot_start_is_started_by_the_next_update(engine, base, names, resource):
    network = resource("network", "net").create(name=names("net"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = {"internal": 80, "external": taken.getsockname()[1], "ip": "127.0.0.1"}
        wanted = {
            **base,
            "networkMode": "bridge",
            "networksAdvanced": [{"name": names("net")}],
            "ports": [port],
        }
        box = resource("container", "box")
        with pytest.raises(grpc.RpcError) as failure:
            box.create(**wanted)
    details = partly_created(failure.value)
    assert "address already in use" in details.reasons[0]
    box.resource_id, box.state = details.id, from_struct(details.properties)
    assert box.plan(**wanted).changes == {"mustRun": "update"}
    box.update(**wanted)
    assert engine.containers.get(details.id).status == "running"
    box.delete()
    network.delete()


def test_attach_and_logs_bring_the_output(base, resource):
    wanted = {**base, "command": ["sh", "-c", "echo out; echo err >&2"]}
    box = resource("container", "box").create(**wanted, attach=True, logs=True, mustRun=False)
    assert sorted(box.state["containerLogs"].split()) == ["err", "out"]
    assert box.state["exitCode"] == 0


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


def test_an_unknown_image_plans_a_replacement(base, resource):
    box = resource("container", "box").create(**base)
    assert box.plan(**{**base, "image": UNKNOWN}).replaces == ["image"]


def test_an_image_by_digest_is_compared_by_digest(engine, base, test_image, resource):
    wanted = {**base, "image": engine.images.get(test_image).id}
    box = resource("container", "box").create(**wanted)
    assert box.refresh()
    assert box.plan(**wanted).changes == {}


def test_two_containers_are_waited_for_at_the_same_time(names, test_image, resource):
    """Each ends well only when it sees the other: one after the other would fail."""

    def create(role, other):
        meet = (
            f"touch /m/{role}; for i in $(seq 300); do test -e /m/{other} && exit; sleep 0.1; done"
        )
        return resource("container", role).create(
            name=names(role),
            image=test_image,
            command=["sh", "-c", f"{meet}; exit 1"],
            mounts=[{"type": "volume", "source": names("meet"), "target": "/m"}],
            networkMode="none",
            attach=True,
            mustRun=False,
        )

    made = in_parallel(lambda: create("one", "two"), lambda: create("two", "one"))
    assert [box.state["exitCode"] for box in made] == [0, 0]


def test_unserved_properties_are_refused_at_every_depth(base, resource):
    with pytest.raises(Refused) as refusal:
        resource("container", "box").check(
            **base,
            dns=["1.1.1.1"],
            mounts=[{"type": "bind", "target": "/x", "bindOptions": {"propagation": "shared"}}],
        )
    assert set(refusal.value.reasons) == {"dns", "mounts[0].bindOptions"}
    assert all("official docker plugin" in reason for reason in refusal.value.reasons.values())


def test_values_that_the_schema_forbids_are_refused(base, resource):
    with pytest.raises(Refused) as refusal:
        resource("container", "box").check(**base, restart="sometimes", memory=-1, shmSize="1g")
    assert set(refusal.value.reasons) == {"restart", "memory", "shmSize"}


def test_the_bridges_defaults_are_listed(base, resource):
    inputs = resource("container", "box").check(**base, ports=[{"internal": 80}])
    assert {"mustRun", "restart", "start", "rm"} <= set(inputs["__defaults"])
    assert inputs["ports"][0]["ip"] == "0.0.0.0"  # noqa: S104 - the official default
    assert inputs["ports"][0]["__defaults"] == ["ip", "protocol"]
