"""A stack is carried in one archive to a host without a network, and goes up there (O6).

The other host is a second engine, with nothing in it, in a network namespace without a route. Its
programs see neither this project, nor this user's home and cache, nor the certificates that this
host trusts.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from report.state import read_state
from stack_configs.settings.settings_yaml import SettingsYaml
from tests.integration.conftest import Engine
from tests.integration.stack import PROJECT, Stack
from toolchain.bundle.unbundle import MANIFEST
from toolchain.offline.engine_daemon import Daemon, running_pid, start, stop
from toolchain.offline.plugins.install import install_plugins
from toolchain.places import places_from

pytestmark = [
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root"),
]

STACK = "away"
SECONDS = 1500
WITHOUT_ROUTE = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
UNSEEN = """
for place in /usr/local/share/ca-certificates "$@"; do
    if [ "$place" = -- ]; then break; fi
    mkdir -p "$place" && mount -t tmpfs -o size=1m none "$place"
done
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""
"""Covers folders, then starts a program."""

CANARIES = {name: f"canary-{secrets.token_hex(16)}" for name in ("config", "file", "state")}
CHUNK = 16 << 20


@dataclass(frozen=True)
class Away:
    """The other host."""

    folder: Path
    daemon: Daemon

    @property
    def project(self) -> Path:
        return self.folder / "finetune-stack"

    def run(self, *command: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program there, as somebody who has nothing yet."""
        pid = running_pid(self.daemon)
        hidden = [str(PROJECT), str(places_from(os.environ).cache / "cli"), "/root/.local"]
        python = Path(sys.base_prefix) / "bin"
        return subprocess.run(
            [
                *("nsenter", f"--net=/proc/{pid}/ns/net", "unshare", "--mount"),
                *("sh", "-c", UNSEEN, "sh", *hidden, "--", *command),
            ],
            env={
                "HOME": str(self.folder / "home"),
                "PATH": f"{python}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "DOCKER_HOST": self.daemon.host,
            },
            cwd=self.project if self.project.exists() else self.folder,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def make(self, *words: str, given: str = "") -> str:
        done = self.run("make", *words, f"STACK={STACK}", given=given)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def packets_without_a_route(self) -> int:
        """How many were to leave: of programs there, and of containers on the engine's bridges.

        A question to a name server is one too.
        """
        told = self.run("cat", "/proc/net/snmp", "/proc/net/netstat", "/proc/net/snmp6").stdout
        lines = [line.split() for line in told.splitlines()]
        pairs = [
            pair
            for names, values in pairwise(lines)
            if names[:1] == values[:1]
            for pair in zip(names, values, strict=False)
        ]
        pairs += [(line[0], line[1]) for line in lines if len(line) == 2]
        found = [int(value) for name, value in pairs if name.endswith("NoRoutes")]
        assert len(found) == 4, found
        return sum(found)


@pytest.fixture
def folder() -> Iterator[Path]:
    # A Unix socket's path is short: pytest's own temporary folders are not. They are also kept.
    with tempfile.TemporaryDirectory(prefix="fts-bundle-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def away(folder: Path) -> Iterator[Away]:
    there = folder / "away"
    (there / "home").mkdir(parents=True)
    daemon = Daemon(
        socket=there / "docker.sock",
        data_root=there / "data",
        state=there / "state",
        exec_root=there / "exec",
        launcher=WITHOUT_ROUTE,
    )
    start(daemon)
    try:
        yield Away(there, daemon)
    finally:
        client = docker.DockerClient(base_url=daemon.host)
        for container in client.containers.list(all=True):
            container.remove(force=True)
        client.close()
        stop(daemon)


@pytest.fixture
def settings() -> dict[str, Any]:
    """Not the demo: another training, data that nobody has committed, another quantization."""
    text = (PROJECT / "stack_configs/demo.yaml").read_text()
    document: dict[str, Any] = yaml.load(text, Loader=SettingsYaml)  # noqa: S506 - a SafeLoader
    document["datasets"] = [{"name": "questions", "file": "data/away_questions.json"}]
    model = document["models"][0]
    model["training_runs"][0].update(datasets=["questions"], max_steps=50, seed=7)
    model["gguf_conversion"] = {"quantization": "q8_0"}
    return document


@pytest.fixture
def source(folder: Path, settings: dict[str, Any]) -> Path:
    """A checkout with a stack of its own, set up, and with secrets lying about."""
    made = folder / "source"
    subprocess.run(["git", "clone", "-q", "--local", PROJECT, made], check=True)
    (made / ".venv").symlink_to((PROJECT / ".venv").resolve())
    install_plugins(made / ".pulumi-home", made / ".venv/bin/python")
    rows = made / "stack_configs/data/stack_questions.json"
    shutil.copy(rows, made / "stack_configs/data/away_questions.json")
    (made / f"stack_configs/{STACK}.yaml").write_text(yaml.safe_dump(settings))
    config = {
        "encryptionsalt": CANARIES["config"],
        "config": {
            "finetune-stack:stack_config": STACK,
            "finetune-stack:hub_token": {"secure": CANARIES["config"]},
        },
    }
    (made / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump(config))
    (made / ".env").write_text(f"HF_TOKEN={CANARIES['file']}\n")
    (made / ".state").mkdir()
    (made / ".state/passphrase").write_text(CANARIES["state"])
    return made


def bundled(source: Path, file: Path) -> str:
    """What `make bundle` does, by a Python that needs no setup."""
    done = subprocess.run(
        [".venv/bin/python", "-m", "toolchain", "bundle", STACK, file],
        cwd=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def holds(file: Path, words: Sequence[str]) -> list[str]:
    """Which of the words are anywhere in a file."""
    found: set[str] = set()
    end = b""
    with file.open("rb") as stream:
        while piece := stream.read(CHUNK):
            found |= {word for word in words if word.encode() in end + piece}
            end = piece[-64:]
    return sorted(found)


@contextmanager
def one_wrong_byte(file: Path, member: str) -> Iterator[None]:
    """Turns one bit of a member's content, and back."""
    with tarfile.open(file) as tar:
        place = tar.getmember(member).offset_data

    def turn() -> None:
        with file.open("r+b") as stream:
            stream.seek(place)
            (byte,) = stream.read(1)
            stream.seek(place)
            stream.write(bytes([byte ^ 1]))

    turn()
    yield
    turn()


def identities(exported: str) -> set[tuple[str, str]]:
    """Of every artefact, by noun: names and ports have no part in them."""
    return {
        (step.noun, identity)
        for step in read_state(exported).steps
        if (identity := getattr(step.plan, "identity", None))
    }


@contextmanager
def up_here(
    folder: Path, source: Path, engine: Engine, document: Mapping[str, Any]
) -> Iterator[str]:
    """The state of the same settings, converged on this host."""
    stack = Stack(folder / "here")
    stack.settings = {
        **document,
        "datasets": [
            {**each, "file": str(source / "stack_configs" / each["file"])}
            for each in document["datasets"]
        ],
        "ollama_server": stack.settings["ollama_server"],
        "board": stack.settings["board"],
    }
    stack.write_settings()
    try:
        made = stack.up()
        assert made.returncode == 0, made.output
        yield stack.exported()
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)


@pytest.mark.capability("O6")
def test_a_bundle_goes_up_without_a_network_as_it_does_here(
    folder: Path, source: Path, settings: dict[str, Any], away: Away, engine: Engine
) -> None:
    with up_here(folder, source, engine, settings) as exported:
        here = identities(exported)
    assert {"training-run", "merge", "gguf-conversion"} <= {noun for noun, _ in here}

    file = folder / "away.tar"
    bundled(source, file)
    assert holds(file, [*CANARIES.values()]) == []
    assert holds(file, ["away_questions"]) == ["away_questions"]
    with tarfile.open(file) as tar:
        manifest = json.load(tar.extractfile(MANIFEST) or pytest.fail("no manifest"))
        program = tar.extractfile("unbundle.py") or pytest.fail("no unbundle.py")
        (away.folder / "unbundle.py").write_bytes(program.read())
    shutil.rmtree(source)
    unbundle = ("python3", "unbundle.py", file)

    with one_wrong_byte(file, f"project/stack_configs/{STACK}.yaml"):
        refused = away.run(*unbundle)
    assert refused.returncode == 1
    assert f"is damaged: project/stack_configs/{STACK}.yaml" in refused.stdout
    assert not away.project.exists()

    done = away.run(*unbundle)
    assert done.returncode == 0, done.stdout
    file.unlink()

    assert "It shows the changes and makes none." in away.make("up")
    there = away.run(
        *("bash", "-c", f'eval "$(make -s env)" && pulumi stack export --stack {STACK}')
    )
    assert identities(there.stdout) == here
    client = docker.DockerClient(base_url=away.daemon.host)
    for reference, image_id in manifest["images"].items():
        assert client.images.get(reference).id == image_id
    assert {image.id for image in client.images.list()} == {*manifest["images"].values()}
    asked = away.make("chat", given="What does pulumi preview do?\n")
    assert "It shows the changes and makes none." in asked
    assert "unchanged" in (again := away.make("up"))
    assert not {" updated", " created", " replaced", " deleted"} & {*again.splitlines()}
    assert away.packets_without_a_route() == 0

    # What would have been seen: a program, a container, a question to a name server.
    away.run("python3", "-c", "import socket; socket.create_connection(('192.0.2.1', 80), 2)")
    assert (programs := away.packets_without_a_route()) > 0
    network = f"finetune-stack-{STACK}-network"
    lookup = ["sh", "-c", "timeout 5 getent hosts example.org || true"]
    client.containers.run("debian:trixie-slim", lookup, network=network, remove=True)
    assert away.packets_without_a_route() > programs

    assert "have been deleted" in away.make("down")
    client.close()
