"""The plugins under the real CLI: what Pulumi itself makes of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.integration]

# The virtual environment's path stands on a line of its own: that is where an offline language
# host looks for it.
PROJECT = "name: contract\nruntime:\n  name: python\n  options:\n    virtualenv: {virtualenv}\n"
PROGRAM = """
import os
import pulumi
import pulumi_docker as docker
from pulumi_command import local

prefix, image = os.environ["CONTRACT_PREFIX"], os.environ["CONTRACT_IMAGE"]
source = os.environ.get("CONTRACT_SOURCE")
token = pulumi.Output.secret("hush-hush")
volume = docker.Volume("data", name=f"{prefix}-data")
network = docker.Network("net", name=f"{prefix}-net")
base = docker.RemoteImage("base", name=image, keep_locally=True)
box = docker.Container(
    "box",
    name=f"{prefix}-box",
    image=base.image_id,
    command=["sleep", "600"],
    envs=[pulumi.Output.concat("TOKEN=", token), "LEVEL=" + os.environ.get("CONTRACT_LEVEL", "1")],
    mounts=[docker.ContainerMountArgs(type="volume", source=source or volume.name, target="/data")],
    networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name)],
    opts=pulumi.ResourceOptions(
        replace_on_changes=os.environ.get("CONTRACT_REPLACE", "").split(),
        delete_before_replace=True,
    ),
)
step = local.Command("step", create="echo $TOKEN | wc -c", environment={"TOKEN": token},
                     stdin=box.id)
pulumi.export("count", step.stdout)
"""


class Stack:
    """A tiny program and its state, driven with the CLI."""

    def __init__(self, folder: Path, plugin_home: Path, prefix: str, image: str) -> None:
        self.cli = os.environ.get("PULUMI_CLI") or shutil.which("pulumi")
        if not self.cli:
            pytest.fail("the contract tests need the Pulumi CLI: `make test` brings it")
        (folder / "Pulumi.yaml").write_text(PROJECT.format(virtualenv=sys.prefix))
        (folder / "__main__.py").write_text(PROGRAM)
        (folder / "state").mkdir()
        self.folder = folder
        self.environment = {
            **os.environ,
            "PULUMI_HOME": str(plugin_home),
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "contract",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
            "CONTRACT_PREFIX": prefix,
            "CONTRACT_IMAGE": image,
        }
        self.run("stack", "init", "dev")

    def run(self, *arguments: str, **environment: str) -> str:
        result = subprocess.run(
            [str(self.cli), *arguments, "--non-interactive"],
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def changes(self, verb: str, **environment: str) -> dict[str, str]:
        """What a run did, by resource; the stack itself and the reads aside."""
        arguments = [verb, "--json", "--skip-preview"] if verb != "preview" else [verb, "--json"]
        if verb != "preview":
            arguments.append("--yes")
        printed = self.run(*arguments, **environment)
        steps = (
            json.loads(printed)["steps"]
            if verb == "preview"
            else [
                event["resourcePreEvent"]["metadata"]
                for event in map(json.loads, printed.splitlines())
                if "resourcePreEvent" in event
            ]
        )
        return {
            step["urn"].rsplit("::", 1)[-1]: step["op"]
            for step in steps
            if "pulumi:pulumi:Stack" not in step["urn"]
        }

    def outputs(self) -> dict[str, str]:
        outputs: dict[str, str] = json.loads(self.run("stack", "output", "--json"))
        return outputs


@pytest.fixture
def stack(tmp_path, plugin_home, names, test_image, engine):
    found = Stack(tmp_path, plugin_home, names.prefix, test_image)
    try:
        yield found
    finally:
        found.run("destroy", "--yes", "--skip-preview")


def test_a_whole_life_under_the_real_cli(stack, engine, names):
    assert set(stack.changes("preview").values()) == {"create"}
    assert engine.volumes.list(filters={"name": names.prefix}) == []

    assert set(stack.changes("up").values()) == {"create"}
    assert stack.outputs() == {"count": "10"}

    assert set(stack.changes("up").values()) == {"same"}
    assert "hush-hush" not in stack.run("stack", "export")

    engine.containers.get(names("box")).remove(force=True)
    assert stack.changes("refresh")["box"] in ("refresh", "delete")
    repaired = stack.changes("up")
    assert repaired["box"] == "create"
    assert repaired["data"] == "same"
    assert repaired["step"] == "update"

    replaced = stack.changes("preview", CONTRACT_LEVEL="2")
    assert "replace" in replaced["box"]
    assert "net" not in replaced

    # Another source of a mount is an update that does nothing, unless the program asks for more.
    elsewhere = {"CONTRACT_SOURCE": f"{names.prefix}-other"}
    assert stack.changes("preview", **elsewhere)["box"] == "update"
    asked = stack.changes("preview", **elsewhere, CONTRACT_REPLACE="mounts")
    assert "replace" in asked["box"]

    stack.run("destroy", "--yes", "--skip-preview")
    assert engine.containers.list(all=True, filters={"name": names.prefix}) == []
    assert engine.volumes.list(filters={"name": names.prefix}) == []
