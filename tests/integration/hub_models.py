"""Models on the tests' own hubs: the program that fetches them, a stack that starts from one."""

import io
import json
import secrets
import tarfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from plan.host import HubName
from plan.model_files import DUPLICATES, NEVER_LOADED, SAFETENSORS
from plan.paths import HF_CACHE, MODELSCOPE_CACHE
from planning.base_model import render_parameters
from planning.hub_model import UPLOADS
from runtime.docker.archive import tar_stream
from stack_configs.settings.base_model import GeneratedModelSettings
from tests.hub_server import HubServer, Repository
from tests.integration.conftest import Engine
from tests.integration.stack import PROJECT, Stack, free_port

MODEL = "org/tiny"
BIG, SMALL = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
FILES = {
    "config.json": b"{}",
    "modeling_tiny.py": b"# code of the model's own\n",
    "empty.txt": b"",
    BIG: secrets.token_bytes(24_000_000),
    SMALL: secrets.token_bytes(1_000_000),
    "pytorch_model.bin": b"the same weights once more",
    "original/consolidated.00.pth": b"and once more",
    "tiny.gguf": b"and in a format that nothing loads",
}
SETTINGS: Mapping[HubName, tuple[str, str]] = {
    "huggingface": ("hub", "model_hub"),
    "modelscope": ("modelscope", "modelscope"),
}
"""The names of a model's source and of the hub's address."""
NEEDED = ["config.json", "empty.txt", BIG, SMALL, "modeling_tiny.py"]


@dataclass
class Fetched:
    """How the program ended."""

    code: int
    words: str
    record: dict[str, Any] | None


@dataclass
class Bench:
    """The program in its image, on a cache of its own."""

    engine: Engine
    image: str
    hub: HubServer
    cache: str

    def create(self, *, asked: str, patience: float, environment: Mapping[str, str]) -> Any:
        parameters = {
            "hub": self.hub.kind,
            "cache": str(MODELSCOPE_CACHE),
            "repo": MODEL,
            "revision": self.hub.branch,
            "asked": asked,
            "never": NEVER_LOADED,
            "weights": SAFETENSORS,
            "duplicates": DUPLICATES,
            "patience_seconds": patience,
        }
        programs = {name: (PROJECT / file).read_bytes() for name, file in UPLOADS.items()}
        container = self.engine.client.containers.create(
            self.image,
            [
                *("python", "/tmp/fetch_model.py", "/tmp/parameters.json"),
                *("/tmp/fetched.json", "/tmp/fetched.sha256"),
            ],
            environment={**self._patience(), **environment},
            volumes={self.cache: {"bind": str(HF_CACHE), "mode": "rw"}},
        )
        files = {"parameters.json": json.dumps(parameters).encode(), **programs}
        container.put_archive("/tmp", b"".join(tar_stream(files)))
        return container

    def _patience(self) -> dict[str, str]:
        """Where the hub is, and how soon its silence is given up."""
        if self.hub.kind == "modelscope":
            return {
                "MODELSCOPE_ENDPOINT": self.hub.address,
                "MODELSCOPE_DOWNLOAD_TIMEOUT": "2",
            }
        return {
            "HF_ENDPOINT": self.hub.address,
            "HF_HUB_DOWNLOAD_TIMEOUT": "2",
            "HF_HUB_ETAG_TIMEOUT": "2",
        }

    def fetch(
        self, *, asked: str | None = None, patience: float = 20, **environment: str
    ) -> Fetched:
        asked = asked or self.hub.repositories[MODEL].branches[self.hub.branch]
        container = self.create(asked=asked, patience=patience, environment=environment)
        try:
            container.start()
            code = container.wait(timeout=120)["StatusCode"]
            words = container.logs().decode()
            record = None
            if code == 0:
                pieces, _ = container.get_archive("/tmp/fetched.json")
                with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
                    content = archive.extractfile("fetched.json")
                    assert content is not None
                    record = json.loads(content.read())
        finally:
            container.remove(force=True)
        return Fetched(code, words, record)


class Story:
    """A stack that starts from a model on a hub of its own."""

    def __init__(
        self,
        stack: Stack,
        engine: Engine,
        files: Mapping[str, bytes],
        hub: type[HubServer] = HubServer,
    ) -> None:
        self.stack, self.engine = stack, engine
        self.repository = Repository()
        self.repository.push(files, hub.branch)
        self.files = dict(files)
        self.hub = hub({MODEL: self.repository})
        self.port = free_port()
        self._running = ExitStack()
        source, mirror = SETTINGS[hub.kind]
        self.stack.model["base_model"] = {source: MODEL}
        address = f"http://{engine.host_address}:{self.port}"
        self.stack.settings["images"].setdefault("mirrors", {})[mirror] = address

    def open(self) -> None:
        self._running.enter_context(self.hub.running(self.engine.host_address, self.port))

    def close(self) -> None:
        self._running.close()

    def up(self) -> list[str]:
        """The steps that an up starts containers of, by the end of their names."""
        moment = time.time()
        update = self.stack.up()
        assert update.returncode == 0, update.output
        prefix = f"{self.stack.physical_name}-"
        return [name.removeprefix(prefix) for name in self.engine.started_since(self.stack, moment)]

    def answers(self) -> bool:
        row = json.loads(Path(self.stack.settings["datasets"][0]["file"]).read_text())[0]
        reply = httpx.post(
            f"{self.stack.outputs()['ollama_url']}/api/chat",
            json={
                "model": self.stack.model["name"],
                "messages": [{"role": "user", "content": row["instruction"]}],
                "stream": False,
            },
            timeout=120,
        )
        reply.raise_for_status()
        return bool(reply.json()["message"]["content"].strip() == row["output"])

    def requests(self) -> dict[str, Any]:
        """What every step was asked to do, by the end of its command's name."""
        return {
            resource["urn"].rpartition("::pipeline-")[2]: resource["inputs"]
            for resource in self.stack.resources()
            if resource["type"] == "command:local:Command"
        }


def tiny_llama(stack: Stack, engine: Engine, image: str) -> dict[str, bytes]:
    """A model as the demo generates one: files by name."""
    data = Path(stack.settings["datasets"][0]["file"])
    files = {
        "tiny_model.py": (PROJECT / "in_container/tiny_model.py").read_bytes(),
        "parameters.json": render_parameters(GeneratedModelSettings(), "llama3").encode(),
        data.name: data.read_bytes(),
    }
    container = engine.client.containers.create(
        image,
        ["sh", "-ec", f"cd /tmp; mkdir m; python tiny_model.py parameters.json m {data.name}"],
        network_mode="none",
    )
    try:
        container.put_archive("/tmp", b"".join(tar_stream(files)))
        container.start()
        code = container.wait(timeout=120)["StatusCode"]
        assert code == 0, container.logs().decode()
        pieces, _ = container.get_archive("/tmp/m")
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            return {
                member.name.removeprefix("m/"): content.read()
                for member in archive
                if (content := archive.extractfile(member)) is not None
            }
    finally:
        container.remove(force=True)
