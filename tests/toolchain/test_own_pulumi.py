"""A Pulumi and a Docker of one's own: home, backend and plugin cache are the operator's, no make.

The CLI is the one on PATH, whatever its version. The plugins lie in `~/.pulumi` as any others do.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from toolchain.offline.go import find_uv
from toolchain.places import REPOSITORY, places_from

pytestmark = [pytest.mark.engine, pytest.mark.integration]

NOT_THE_OPERATORS = ("PULUMI", "FINETUNE", "VIRTUAL_ENV", "XDG_", "PYTHON")
RESOURCES = (
    *("engine", "programs", "pipeline", "pipeline-host-check*"),
    *("pipeline-volumes*", "pipeline-network"),
)
"""What is deployed of the stack: nothing that takes longer than a moment."""


@dataclass(frozen=True)
class Operator:
    """Somebody who has cloned the repository."""

    clone: Path
    environment: dict[str, str]
    stack: str

    def run(self, *command: object, accepted: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.clone,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode in accepted, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    pulumi = shutil.which("pulumi")
    assert pulumi is not None, "there is no pulumi on PATH: run the tests with `make test`"
    clone, home, backend = tmp_path / "clone", tmp_path / "home", tmp_path / "backend"
    home.mkdir()
    backend.mkdir()
    # Neither the project's virtual environment nor its settings; only the CLI and the system.
    system = [part for part in os.environ["PATH"].split(":") if str(REPOSITORY) not in part]
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(NOT_THE_OPERATORS)
    }
    environment = {
        **kept,
        "HOME": str(home),
        # ~/.pulumi, that is: the CLI finds the home of its user without asking HOME.
        "PULUMI_HOME": str(home / ".pulumi"),
        "PATH": ":".join([str(Path(pulumi).parent), *system]),
        "PULUMI_CONFIG_PASSPHRASE": "my own",
    }
    # No new download: what the set-up has fetched is there.
    places = places_from(os.environ)
    uv_settings = {"UV_CACHE_DIR": str(places.cache / "uv-packages"), "UV_OFFLINE": "1"}
    made = Operator(clone, environment | uv_settings, f"own-{secrets.token_hex(3)}")
    subprocess.run(["git", "clone", "--quiet", REPOSITORY, clone], check=True)
    made.run(find_uv(places), "sync", "--frozen", "--quiet")
    official = os.environ.get("FINETUNE_OFFICIAL_PLUGINS")
    if official:
        shutil.copytree(Path(official) / "plugins", home / ".pulumi" / "plugins")
    else:
        python = clone / ".venv" / "bin" / "python"
        made.run(python, "-m", "toolchain.offline.plugins.install", home / ".pulumi")
    made.run("pulumi", "login", f"file://{backend}")
    yield made
    engine = docker.from_env()
    try:
        for volume in engine.volumes.list(filters={"name": made.stack}):
            volume.remove(force=True)
        for network in engine.networks.list(names=[made.stack]):
            network.remove()
    finally:
        engine.close()


def write_settings(operator: Operator) -> None:
    """The demo, on ports that nobody has."""
    folder = operator.clone / "stack_configs"
    settings: dict[str, Any] = yaml.safe_load((folder / "demo.yaml").read_text())
    for run in settings["models"][0]["training_runs"]:
        run["learning_rate"] = float(run["learning_rate"])
    for service in ("ollama_server", "board"):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            settings[service] = {"port": listener.getsockname()[1]}
    (folder / f"{operator.stack}.yaml").write_text(yaml.safe_dump(settings))


def test_stack_init_and_up_without_make(operator: Operator) -> None:
    operator.run("pulumi", "stack", "init", operator.stack)
    write_settings(operator)

    # Declared in Pulumi.yaml: nothing has to be set, and what is a secret is one.
    assert {"stack_config", "hub_token", "api_key", "wandb_api_key"} <= set(
        operator.run("pulumi", "config").split()
    )
    operator.run("pulumi", "config", "set", "--secret", "hub_token", "hush-hush")

    foretold = operator.run("pulumi", "preview", "--non-interactive")
    assert "docker:index:Container" in foretold
    assert "hush-hush" not in foretold

    targets = [word for name in RESOURCES for word in ("--target", f"**::{name}")]
    up = ("pulumi", "up", "--yes", "--skip-preview", "--non-interactive")
    operator.run(*up, *targets)

    exported = operator.run("pulumi", "stack", "export")
    resources = json.loads(exported)["deployment"]["resources"]
    ids = {resource["type"]: resource["id"] for resource in resources if "id" in resource}
    assert "hush-hush" not in exported
    assert ids["docker:index/network:Network"] in operator.run(
        "docker", "network", "ls", "--no-trunc", "--quiet"
    )
    assert ids["docker:index/volume:Volume"] in operator.run("docker", "volume", "ls", "--quiet")

    operator.run("pulumi", "destroy", "--yes", "--skip-preview", "--non-interactive")
    assert operator.stack not in operator.run("docker", "network", "ls")


def test_a_stack_of_another_name_names_its_settings(operator: Operator) -> None:
    operator.run("pulumi", "stack", "init", operator.stack)

    told = operator.run("pulumi", "preview", "--non-interactive", accepted=(255, 1))
    assert f"{operator.stack}.yaml" in told
    assert "Choose one of: demo, dev" in told
