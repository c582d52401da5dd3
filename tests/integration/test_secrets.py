"""A canary for every secret of a stack: it is found where it has to be, and nowhere else (R4).

Looked at all the while and afterwards: argument lists and environments of every process, the
engine, its logs and images, the state and what Pulumi keeps beside it, every file in the volumes,
and what the operator reads. Also after a step that has failed.
"""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.hub_server import TOKEN, HubServer, Repository
from tests.integration.conftest import Engine
from tests.integration.stack import Stack, free_port

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(1800),
]

API_CANARY = "sk-canary-3f1d9a7c5b"
CANARIES = tuple(
    form
    for secret in (TOKEN, API_CANARY)
    for form in (secret, base64.b64encode(secret.encode()).decode().rstrip("="))
)
UNREADABLE = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": b"no weights at all",
    "tokenizer_config.json": b"{}",
}
LOOK_SECONDS = 0.2


def found_in(text: str | bytes) -> set[str]:
    content = text.encode() if isinstance(text, str) else text
    return {canary for canary in CANARIES if canary.encode() in content}


class Processes:
    """Every process of this host, those in containers too, as long as it looks."""

    def __init__(self) -> None:
        self.argument_lists: set[str] = set()
        """That held a canary."""
        self.environments: set[str] = set()
        """Commands in containers whose environment held one."""
        self.looks = 0
        self._ends = threading.Event()

    @contextmanager
    def watched(self) -> Iterator[None]:
        watcher = threading.Thread(target=self._watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            self._ends.set()
            watcher.join()

    def _watch(self) -> None:
        own_namespace = Path("/proc/self/ns/pid").readlink()
        while not self._ends.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                    if found_in(command):
                        self.argument_lists.add(command.decode(errors="replace"))
                    elsewhere = (process / "ns/pid").readlink() != own_namespace
                    if elsewhere and found_in((process / "environ").read_bytes()):
                        self.environments.add(command.decode(errors="replace"))
            self.looks += 1
            time.sleep(LOOK_SECONDS)


@pytest.fixture(scope="module")
def processes() -> Processes:
    return Processes()


@pytest.fixture(scope="module")
def hub(engine: Engine) -> Iterator[HubServer]:
    """A hub with one gated model, that nothing can be trained from."""
    repository = Repository(gated=True)
    repository.push(UNREADABLE)
    server = HubServer({"org/gated": repository})
    with ExitStack() as running:
        running.enter_context(server.running(engine.host_address, free_port()))
        yield server


@pytest.fixture(scope="module")
def said(stack: Stack, hub: HubServer, processes: Processes) -> dict[str, str]:
    """What the operator read: of an up whose training fails, and of one that ends well."""
    stack.set_secret("hub_token", TOKEN)
    stack.set_secret("api_key", API_CANARY)
    base_model = stack.model["base_model"]
    stack.settings["images"].setdefault("mirrors", {})["model_hub"] = hub.address
    stack.settings["api"] = {"enabled": True, "port": free_port()}
    stack.settings["board"] = {"enabled": False}
    stack.model["base_model"] = {"hub": "org/gated"}
    with processes.watched():
        failed = stack.up()
        assert failed.returncode != 0
        # Far enough: the token was asked for, and the next step has failed without it.
        assert any(TOKEN in str(seen.authorization) for seen in hub.seen)
        assert f"{stack.physical_name}-stack-guide-sft" in failed.output
        left = "\n".join(describe(stack))
        stack.model["base_model"] = base_model
        done = stack.up()
        assert done.returncode == 0, done.output
    return {"failed": failed.output, "left": left, "done": done.output}


def describe(stack: Stack) -> Iterator[str]:
    """All that the engine says of a stack's things, with logs and images' history."""
    client = Engine().client
    filters: dict[str, Any] = {"label": f"finetune-stack.stack={stack.physical_name}"}
    for container in client.containers.list(all=True, filters=filters):
        # The one place that it has to be in.
        shown = json.loads(json.dumps(container.attrs))
        if str(container.name).endswith("-api"):
            shown["Config"]["Env"] = [
                entry for entry in shown["Config"]["Env"] if not entry.startswith("API_KEY=")
            ]
        yield json.dumps(shown)
        yield container.logs().decode(errors="replace")
        image = str(container.attrs["Image"])
        yield json.dumps(client.images.get(image).history())
        yield json.dumps(client.images.get(image).attrs)
    for volume in client.volumes.list(filters=filters):
        yield json.dumps(volume.attrs)
    for network in client.networks.list(filters=filters):
        yield json.dumps(network.attrs)


def test_it_reached_what_needs_it(
    said: dict[str, str], stack: Stack, engine: Engine, processes: Processes
) -> None:
    assert processes.looks > 100
    api = engine.containers(stack)[f"{stack.physical_name}-api"]
    assert f"API_KEY={API_CANARY}" in api.attrs["Config"]["Env"]
    assert any("fetch_model.py" in command for command in processes.environments)


def test_no_argument_list_held_one(said: dict[str, str], processes: Processes) -> None:
    assert processes.argument_lists == set()


def test_no_other_process_in_a_container_had_one(
    said: dict[str, str], processes: Processes
) -> None:
    strangers = [
        command
        for command in processes.environments
        if not any(known in command for known in ("fetch_model.py", "llamafactory-cli api"))
        # What starts a container has its environment for a moment.
        and not command.startswith(("runc init", "/sbin/docker-init"))
    ]
    # Health checks and `docker exec` run with the environment of their container.
    assert [command for command in strangers if "urllib.request" not in command] == []


@pytest.mark.parametrize("what", ["failed", "done"])
def test_the_operator_reads_none(said: dict[str, str], what: str) -> None:
    assert found_in(said[what]) == set()


def test_the_engine_tells_none_after_a_failure(said: dict[str, str]) -> None:
    assert found_in(said["left"]) == set()


def test_the_engine_tells_none_in_the_end(said: dict[str, str], stack: Stack) -> None:
    assert found_in("\n".join(describe(stack))) == set()


def test_the_state_and_what_lies_beside_it_holds_none(said: dict[str, str], stack: Stack) -> None:
    files = [path for path in stack.home.rglob("*") if path.is_file()]
    assert any("stacks" in path.parts for path in files)
    assert {path for path in files if found_in(path.read_bytes())} == set()
    # Nor does what is shown of it.
    assert found_in(json.dumps(stack.resources())) == set()
    assert found_in(json.dumps(stack.outputs())) == set()


def test_no_file_in_any_volume_holds_one(
    said: dict[str, str], stack: Stack, engine: Engine
) -> None:
    volumes = {name: {"bind": f"/v/{name}", "mode": "ro"} for name in engine.volumes(stack)}
    assert len(volumes) == 4
    words = [word for canary in CANARIES for word in ("-e", canary)]
    found = engine.client.containers.run(
        "debian:trixie-slim",
        ["sh", "-c", 'grep -rlF "$@" /v; find /v -type f | wc -l', "grep", *words],
        volumes=volumes,
        network_mode="none",
        remove=True,
    )
    *holders, count = found.decode().split()
    assert holders == []
    assert int(count) > 20
