"""The parts of the plugins that need neither an engine nor Pulumi."""

from __future__ import annotations

import base64
import re
import threading

import pytest

from toolchain.offline.plugins.attributes import Attribute
from toolchain.offline.plugins.command_plugin.local_inputs import COMMAND_INPUTS
from toolchain.offline.plugins.docker_plugin import image_build
from toolchain.offline.plugins.docker_plugin.buildkit_trace import trace_lines
from toolchain.offline.plugins.docker_plugin.container_request import create_request
from toolchain.offline.plugins.docker_plugin.container_schema import CONTAINER_SCHEMA
from toolchain.offline.plugins.docker_plugin.container_state import read_state
from toolchain.offline.plugins.docker_plugin.engine import Engine
from toolchain.offline.plugins.docker_plugin.go_duration import from_nanoseconds, to_nanoseconds
from toolchain.offline.plugins.docker_plugin.network import Network
from toolchain.offline.plugins.docker_plugin.remote_image import RemoteImage
from toolchain.offline.plugins.docker_plugin.volume import Volume
from toolchain.offline.plugins.engine_log import EngineLog, ResourceLog
from toolchain.offline.plugins.install import STAND_INS, install_plugins
from toolchain.offline.plugins.property_values import UNKNOWN, Secret, from_struct, to_struct
from toolchain.offline.plugins.provider import Operation
from toolchain.places import REPOSITORY

README = REPOSITORY / "toolchain/offline/README.md"
SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0s", 0),
        ("30s", 30 * SECOND),
        ("1m30s", 90 * SECOND),
        ("1h0m0s", 3600 * SECOND),
        ("500ms", SECOND // 2),
        ("1.5s", 3 * SECOND // 2),
    ],
)
def test_durations_are_written_as_go_writes_them(text, nanoseconds):
    assert to_nanoseconds(text) == nanoseconds
    assert from_nanoseconds(nanoseconds) == text


@pytest.mark.parametrize(("gpus", "count"), [("all", -1), ("2", 2)])
def test_gpus_become_a_device_request_and_are_read_back(gpus, count):
    # docker/cli, opts/gpus.go; of the answers, terraform-provider-docker can only tell `all`.
    inputs = {"name": "x", "image": "x", "restart": "no", "networkMode": "bridge", "gpus": gpus}
    requests = create_request(inputs)["HostConfig"]["DeviceRequests"]
    assert requests == [{"Count": count, "Capabilities": [["gpu"]], "Options": {}}]
    host = {
        "DeviceRequests": requests,
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "NetworkMode": "bridge",
        "LogConfig": {"Type": "json-file"},
    }
    found = {
        "Name": "/x",
        "Config": {"Image": "x"},
        "HostConfig": host,
        "State": {"Running": True},
    }
    assert read_state(found, inputs)["gpus"] == gpus
    assert read_state({**found, "HostConfig": {**host, "DeviceRequests": []}}, inputs)["gpus"] == ""


def test_property_values_survive_the_wire():
    properties = {
        "text": "x",
        "number": 3,
        "fraction": 1.5,
        "flag": True,
        "list": [1, {"a": "b"}],
        "secret": Secret({"inner": "value"}),
        "open": UNKNOWN,
    }
    assert from_struct(to_struct({**properties, "nothing": None})) == properties


def test_secrets_do_not_show_in_a_representation():
    assert "hush" not in repr({"password": Secret("hush")})


def test_install_writes_two_starters_and_nothing_the_second_time(tmp_path):
    written = install_plugins(tmp_path / "home", tmp_path / "python")
    assert [path.name for path in written] == [
        "pulumi-resource-docker",
        "pulumi-resource-command",
    ]
    assert str(tmp_path / "python") in written[0].read_text()
    assert written[0].parent.name == "resource-docker-v5.2.0"
    assert install_plugins(tmp_path / "home", tmp_path / "python") == ()
    assert len(install_plugins(tmp_path / "home", tmp_path / "moved")) == 2


def test_install_leaves_an_official_plugin_alone(tmp_path):
    official = STAND_INS[0].executable(tmp_path)
    official.parent.mkdir(parents=True)
    official.write_bytes(b"\x7fELF official")
    written = install_plugins(tmp_path, tmp_path / "python")
    assert [path.name for path in written] == ["pulumi-resource-command"]
    assert official.read_bytes() == b"\x7fELF official"


def varint(number):
    parts = b""
    while number > 0x7F:
        parts += bytes([number & 0x7F | 0x80])
        number >>= 7
    return parts + bytes([number])


def message(*fields):
    """A protobuf message of text fields, inner messages and numbers."""
    packed = b""
    for number, value in fields:
        if isinstance(value, int):
            packed += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            packed += varint(number << 3 | 2) + varint(len(data)) + data
    return packed


def test_buildkit_records_become_lines():
    # moby/buildkit, api/services/control/control.proto: StatusResponse, Vertex, VertexLog.
    started = message((1, "sha256:a"), (3, "[1/2] FROM base"))
    cached = message((1, "sha256:b"), (3, "[2/2] COPY"), (4, 1))
    completed = message((1, "sha256:a"), (3, "[1/2] FROM base"), (6, message((1, 300))))
    failed = message((3, "RUN exit 1"), (6, b""), (7, "exit code: 1"))
    written = message((1, "sha256:a"), (3, 1), (4, "one\ntwo\n" + "x" * 200))
    record = message((1, started), (1, cached), (1, completed), (1, failed), (3, written))
    assert list(trace_lines(base64.b64encode(record).decode())) == [
        "[1/2] FROM base",
        "[2/2] COPY (cached)",
        "RUN exit 1: exit code: 1",
        "one",
        "two",
        "x" * 200,
    ]


@pytest.mark.parametrize(
    ("builder", "tried"), [("BuilderBuildKit", ["2", "1"]), ("BuilderV1", ["1"])]
)
def test_a_build_that_needs_a_registry_login_goes_to_the_classic_builder(
    builder, tried, monkeypatch
):
    versions = []

    def build(engine, log, inputs, version):
        versions.append(version)
        if version == image_build.BUILDKIT:
            raise image_build.BuildFailedError("failed to authorize: no active session for x")
        return "sha256:built"

    monkeypatch.setattr(image_build, "_build", build)
    log = ResourceLog(EngineLog(""), "urn")
    operation = Operation("urn", log, threading.Event())
    inputs = {"imageName": "x", "build": {"builderVersion": builder}}
    assert image_build.build_image(Engine(), operation, inputs) == "sha256:built"
    assert versions == tried


@pytest.mark.parametrize(
    ("resource", "schema"),
    [
        ("docker.Volume", Volume.schema),
        ("docker.Network", Network.schema),
        ("docker.RemoteImage", RemoteImage.schema),
        ("docker.Container", CONTAINER_SCHEMA),
        ("command.local.Command", COMMAND_INPUTS),
    ],
)
def test_the_readme_lists_what_is_served(resource, schema):
    (row,) = [
        line
        for line in README.read_text().splitlines()
        if line.startswith("| `") and f"`{resource}`" in line.split("|")[1]
    ]
    listed = set(re.findall(r"`(\w+)`", row.split("|")[2])) - {"all"}
    served = {
        name
        for name, attribute in schema.items()
        if not isinstance(attribute, Attribute) or attribute.served
    }
    assert listed == served
