"""State that the official plugins wrote is no change to the stand-ins, and theirs looks the same.

`official_states.json` holds what docker 5.2.0 and command 1.2.1 wrote for the inputs beside it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.toolchain.offline.plugins.plugin_client import Managed
from toolchain.offline.plugins.property_values import reveal

RECORDED = json.loads(Path(__file__).with_name("official_states.json").read_text())
TOKENS = {
    "volume": "docker:index/volume:Volume",
    "network": "docker:index/network:Network",
    "remote image": "docker:index/remoteImage:RemoteImage",
    "image": "docker:index/image:Image",
    "container": "docker:index/container:Container",
    "confined container": "docker:index/container:Container",
    "command": "command:local:Command",
}
RAW_STATE = "__pulumi_raw_state_delta"
"""The bridge's own record of how to get back to Terraform's state; it does without."""


def shape(value: Any) -> Any:
    """The names and types in a state, at every depth."""
    if isinstance(value, dict):
        return {
            key: shape(item)
            for key, item in sorted(value.items())
            if item is not None and key not in (RAW_STATE, "__meta")
        }
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the recorded paths of the image's build lead."""
    (tmp_path / "Dockerfile").write_text("FROM debian:trixie-slim\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", TOKENS)
def test_official_state_is_no_change(kind, folder, start):
    plugin = start("command" if kind == "command" else "docker")
    try:
        found = RECORDED[kind]
        managed = Managed(plugin.stub, TOKENS[kind], "x", "id", found["inputs"], found["state"])
        assert managed.plan(**found["given"]).changes == {}
    finally:
        plugin.close()


@pytest.mark.engine
@pytest.mark.parametrize("kind", TOKENS)
def test_state_has_the_official_names_and_types(kind, folder, names, test_image, start):
    plugin = start("command" if kind == "command" else "docker")
    managed = Managed(plugin.stub, TOKENS[kind], "x")
    given = json.loads(
        json.dumps(RECORDED[kind]["given"])
        .replace("NAME", names.prefix)
        .replace("debian:trixie-slim", test_image)
    )
    network = Managed(plugin.stub, TOKENS["network"], "net")
    try:
        plugin.configure()
        if kind.endswith("container"):
            network.create(name=names.prefix)
        managed.create(**given)
        assert shape(reveal(managed.inputs)) == shape(RECORDED[kind]["inputs"])
        assert shape(reveal(managed.state)) == shape(RECORDED[kind]["state"])
    finally:
        if managed.resource_id:
            managed.delete()
        if network.resource_id:
            network.delete()
        plugin.close()
