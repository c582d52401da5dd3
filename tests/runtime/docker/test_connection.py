"""Which engine the programs speak to: the one that the docker client would (A11, O5)."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from runtime.docker.connection import (
    LOCAL,
    Certificates,
    Endpoint,
    engine_address,
    engine_endpoint,
    is_local,
)
from runtime.failure import EngineUnreachableError


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The docker client's folder, empty, and nothing said by the environment."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def add_context(config: Path, name: str, host: str, **endpoint: object) -> str:
    """As the docker client stores it; the name of its folders."""
    identity = hashlib.sha256(name.encode()).hexdigest()
    folder = config / "contexts/meta" / identity
    folder.mkdir(parents=True)
    docker = {"Host": host, "SkipTLSVerify": False, **endpoint}
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": docker}}
    (folder / "meta.json").write_text(json.dumps(meta))
    return identity


def use(config: Path, context: object) -> None:
    (config / "config.json").write_text(json.dumps({"auths": {}, "currentContext": context}))


class TestOrder:
    def test_without_any_word_it_is_the_local_socket(self):
        assert engine_address(None) == LOCAL
        assert is_local(LOCAL)

    def test_the_setting_comes_first_then_the_environment_then_the_context(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ):
        add_context(config, "colima", "unix:///home/me/.colima/docker.sock")
        use(config, "colima")
        assert engine_address(None) == "unix:///home/me/.colima/docker.sock"
        monkeypatch.setenv("DOCKER_HOST", "tcp://there:2375")
        assert engine_address(None) == "tcp://there:2375"
        assert engine_address("ssh://me@box") == "ssh://me@box"

    def test_the_environments_context_comes_before_the_current_one(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ):
        add_context(config, "colima", "unix:///colima.sock")
        add_context(config, "box", "ssh://me@box")
        use(config, "colima")
        monkeypatch.setenv("DOCKER_CONTEXT", "box")
        assert engine_address(None) == "ssh://me@box"

    def test_the_default_context_is_the_local_socket(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ):
        add_context(config, "box", "ssh://me@box")
        use(config, "box")
        monkeypatch.setenv("DOCKER_CONTEXT", "default")
        assert engine_address(None) == LOCAL

    def test_the_folder_is_in_the_home_where_nothing_else_is_said(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ):
        home = config / "home"
        add_context(home / ".docker", "rootless", "unix:///run/user/1000/docker.sock")
        use(home / ".docker", "rootless")
        monkeypatch.delenv("DOCKER_CONFIG")
        monkeypatch.setenv("HOME", str(home))
        assert engine_address(None) == "unix:///run/user/1000/docker.sock"

    @pytest.mark.engine
    def test_a_context_of_the_docker_client_itself(self):
        address = "host=tcp://10.0.0.7:2375"
        subprocess.run(
            ["docker", "context", "create", "mine", "--docker", address],
            check=True,
            capture_output=True,
        )
        subprocess.run(["docker", "context", "use", "mine"], check=True, capture_output=True)
        assert engine_address(None) == "tcp://10.0.0.7:2375"


class TestRefusals:
    """Pulumi's Docker provider lets DOCKER_CONTEXT win over the host that it is given."""

    @pytest.mark.parametrize("said_by", ["host.engine", "DOCKER_HOST"])
    def test_a_context_that_leads_the_provider_elsewhere(
        self, config: Path, monkeypatch: pytest.MonkeyPatch, said_by: str
    ):
        add_context(config, "box", "ssh://me@box")
        monkeypatch.setenv("DOCKER_CONTEXT", "box")
        configured = "tcp://there:2375" if said_by == "host.engine" else None
        if configured is None:
            monkeypatch.setenv("DOCKER_HOST", "tcp://there:2375")
        with pytest.raises(EngineUnreachableError) as refused:
            engine_address(configured)
        assert f"{said_by} is tcp://there:2375, but DOCKER_CONTEXT is box" in str(refused.value)
        assert "Unset DOCKER_CONTEXT" in str(refused.value)

    def test_a_context_that_leads_to_the_same_engine_is_welcome(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ):
        add_context(config, "box", "ssh://me@box")
        monkeypatch.setenv("DOCKER_CONTEXT", "box")
        assert engine_address("ssh://me@box") == "ssh://me@box"

    @pytest.mark.parametrize("how", ["environment", "config"])
    def test_a_context_that_is_not_there(
        self, config: Path, monkeypatch: pytest.MonkeyPatch, how: str
    ):
        if how == "config":
            use(config, "gone")
        else:
            monkeypatch.setenv("DOCKER_CONTEXT", "gone")
        with pytest.raises(EngineUnreachableError, match="no Docker context 'gone'"):
            engine_address(None)

    def test_a_context_without_an_engine(self, config: Path):
        add_context(config, "kubernetes", "")
        use(config, "kubernetes")
        with pytest.raises(EngineUnreachableError, match="'kubernetes' with an engine's address"):
            engine_address(None)

    @pytest.mark.parametrize("content", ["{", "\udcff"])
    def test_a_file_that_cannot_be_read(self, config: Path, content: str):
        (config / "config.json").write_bytes(os.fsencode(content))
        with pytest.raises(EngineUnreachableError, match="cannot be read") as refused:
            engine_address(None)
        assert str(config / "config.json") in str(refused.value)

    @pytest.mark.parametrize(
        "content", ["[]", '{"currentContext": ""}', '{"currentContext": null}']
    )
    def test_a_file_that_says_nothing_of_a_context(self, config: Path, content: str):
        (config / "config.json").write_text(content)
        assert engine_address(None) == LOCAL


class TestCertificates:
    def test_of_the_environment_are_for_tcp_alone(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", "/certificates")
        expected = Certificates(folder=Path("/certificates"), verify=True)
        assert engine_endpoint("tcp://box:2376").certificates == expected
        for address in ("ssh://box", "unix:///run/docker.sock"):
            assert engine_endpoint(address).certificates is None

    def test_of_the_environment_lie_in_the_clients_folder_unless_said(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ):
        assert engine_endpoint("tcp://box:2375").certificates is None
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        found = engine_endpoint("tcp://box:2376").certificates
        assert found == Certificates(folder=config, verify=True)

    def test_of_a_context_come_with_it(self, config: Path):
        identity = add_context(config, "box", "tcp://box:2376", SkipTLSVerify=True)
        folder = config / "contexts/tls" / identity / "docker"
        folder.mkdir(parents=True)
        use(config, "box")
        assert engine_endpoint(None) == Endpoint(
            address="tcp://box:2376", certificates=Certificates(folder=folder, verify=False)
        )
