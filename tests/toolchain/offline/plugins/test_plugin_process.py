"""The plugins as processes: start, settings, an engine that is not there, the end."""

from __future__ import annotations

import os
import signal
import time

import grpc
import pytest
from google.protobuf import empty_pb2

from tests.toolchain.offline.plugins.plugin_client import Managed, told
from toolchain.offline.plugins.wire import provider_pb2

pytestmark = pytest.mark.stand_in


@pytest.mark.parametrize(("name", "version"), [("docker", "5.2.0"), ("command", "1.2.1")])
def test_start_handshake_and_version(name, version, start):
    started = time.monotonic()
    plugin = start(name)
    try:
        plugin.stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address="x"))
        # Generous for a busy machine: it takes 0.2 s on an idle one.
        assert time.monotonic() - started < 5
        assert plugin.stub.GetPluginInfo(empty_pb2.Empty()).version == version
        schema = plugin.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema
        assert f'"{name}:' in schema
        with pytest.raises(grpc.RpcError) as failure:
            plugin.stub.GetMapping(provider_pb2.GetMappingRequest())
        assert failure.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert plugin.complaints() == ""
    finally:
        plugin.close()


@pytest.mark.parametrize(
    ("name", "accepts"),
    [pytest.param("docker", False, marks=pytest.mark.engine), ("command", True)],
)
def test_docker_accepts_no_secrets_and_command_does(name, accepts, start):
    # As the bridge and pulumi-go-provider answer: without it Pulumi keeps the marks itself.
    plugin = start(name)
    try:
        answer = plugin.configure()
        assert answer.acceptSecrets is accepts
        assert answer.supportsPreview
    finally:
        plugin.close()


@pytest.mark.parametrize("name", ["docker", "command"])
def test_it_ends_when_pulumi_says_so_in_a_background_job_too(name, start):
    # A shell starts its background jobs with SIGINT ignored, and what they start inherits that.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        plugin = start(name)
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        plugin.process.send_signal(signal.SIGINT)
        assert plugin.process.wait(5) == -signal.SIGINT
    finally:
        plugin.close()


def test_settings_that_are_not_served_are_refused(start):
    for name, given, refused in (
        ("docker", {"caMaterial": "x"}, "docker:caMaterial is not served"),
        ("command", {"host": "x"}, "has no settings"),
    ):
        plugin = start(name)
        try:
            assert refused in plugin.check_config(**given)[0]
            assert plugin.check_config(version="5.2.0") == []
        finally:
            plugin.close()


@pytest.mark.parametrize("host", ["unix:///no/such/engine.sock", "tcp://127.0.0.1:9"])
def test_an_engine_that_is_down_is_told_when_the_provider_is_configured(host, start):
    # configureDockerClient(config, verify=true) pings; so a preview needs an engine as well.
    plugin = start("docker")
    try:
        with pytest.raises(grpc.RpcError) as failure:
            plugin.configure(host=host)
        details = told(failure.value)
        assert f"the Docker engine at {host} does not answer" in details
        assert "DOCKER_HOST" in details
        assert "Traceback" not in details
        assert plugin.complaints() == ""
    finally:
        plugin.close()


def test_an_ssh_engine_that_is_down_says_what_ssh_said(start, tmp_path):
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\necho "no route for $*" >&2\nexit 255\n')
    ssh.chmod(0o755)
    plugin = start("docker", PATH=f"{tmp_path}:/usr/bin:/bin")
    try:
        plugin.configure(host="ssh://me@nowhere", sshOpts='["-o", "A=b"]')
        volume = Managed(plugin.stub, "docker:index/volume:Volume", "v")
        with pytest.raises(grpc.RpcError) as failure:
            volume.create(name="x")
        assert "no route for -o A=b -l me -o ConnectTimeout=30 -T -- nowhere docker" in told(
            failure.value
        )
    finally:
        plugin.close()


@pytest.mark.engine
def test_an_engine_is_reached_through_ssh(engine, start, names, tmp_path):
    """The other machine is this one: an `ssh` that relays to the engine's own socket."""
    ssh = tmp_path / "ssh"
    ssh.write_text(
        "#!/usr/bin/env python3\n"
        "import os, socket, threading\n"
        "peer = socket.socket(socket.AF_UNIX)\n"
        f"peer.connect({_socket_path()!r})\n"
        "def send():\n"
        "    while chunk := os.read(0, 65536):\n"
        "        peer.sendall(chunk)\n"
        "    peer.shutdown(socket.SHUT_WR)\n"
        "threading.Thread(target=send, daemon=True).start()\n"
        "while chunk := peer.recv(65536):\n"
        "    os.write(1, chunk)\n"
    )
    ssh.chmod(0o755)
    plugin = start("docker", PATH=f"{tmp_path}:/usr/local/bin:/usr/bin:/bin")
    try:
        plugin.configure(host="ssh://me@gpu-box")
        volume = Managed(plugin.stub, "docker:index/volume:Volume", "v").create(name=names("v"))
        assert engine.volumes.get(names("v"))
        volume.delete()
    finally:
        plugin.close()


def _socket_path() -> str:
    return os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
