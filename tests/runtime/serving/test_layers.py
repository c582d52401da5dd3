"""Layers of served models: what a manifest says, and what is wrong with what lies there."""

import hashlib
import json
from typing import Any

import pytest

from plan.paths import OLLAMA_BLOBS
from runtime.docker.engine import Engine
from runtime.serving.layers import (
    all_layers,
    damaged_layers,
    fault_of,
    layer_sizes,
    layers_of,
)
from tests.runtime.conftest import Bench
from tests.runtime.ollama_stand_in import OllamaStandIn

WEIGHTS, CONFIG = (f"sha256:{hashlib.sha256(each).hexdigest()}" for each in (b"weights", b"{}"))
MANIFEST: dict[str, Any] = {
    "schemaVersion": 2,
    "config": {"digest": CONFIG, "size": 2},
    "layers": [{"digest": WEIGHTS, "size": 7, "from": "/root/.ollama/models/blobs/x"}],
}
LAYERS = {WEIGHTS: 7, CONFIG: 2}


def test_a_manifest_names_its_layers() -> None:
    assert layers_of(json.dumps(MANIFEST).encode()) == LAYERS
    without = {**MANIFEST, "layers": None}
    assert layers_of(json.dumps(without).encode()) == {CONFIG: 2}


@pytest.mark.parametrize(
    "manifest", [None, b"", b"{", b"[]", b"{}", b"FROM x", b'{"layers": [{}]}']
)
def test_what_is_no_manifest_names_none(manifest: bytes | None) -> None:
    assert layers_of(manifest) == {}


def test_sizes_tell_what_was_cut_off() -> None:
    assert fault_of(LAYERS, {**LAYERS, "sha256:other": 0}) is None
    assert fault_of({}, {}) is None
    assert f"{WEIGHTS} in Ollama's store has 3 bytes, not 7" in str(
        fault_of(LAYERS, {**LAYERS, WEIGHTS: 3})
    )
    assert f"{CONFIG} is gone" in str(fault_of(LAYERS, {WEIGHTS: 7}))


@pytest.mark.engine
class TestStore:
    def fill(self, ollama: OllamaStandIn) -> None:
        names = {digest: digest.replace(":", "-") for digest in LAYERS}
        ollama.shell(
            f"mkdir -p {OLLAMA_BLOBS}; cd {OLLAMA_BLOBS}; printf weights > {names[WEIGHTS]}; "
            f"printf '{{}}' > {names[CONFIG]}; printf x > sha256-abc-partial-0"
        )

    def test_sizes_come_from_a_server_that_runs_and_from_one_that_does_not(
        self, bench: Bench, ollama: OllamaStandIn, engine: Engine
    ) -> None:
        server = str(ollama.container.id)
        assert all_layers(engine, server) == {}
        self.fill(ollama)
        lost = "sha256:lost"
        listed = layer_sizes(engine, server, [*LAYERS, lost], is_running=True)
        assert {digest: listed.get(digest) for digest in [*LAYERS, lost]} == {**LAYERS, lost: None}
        ollama.container.kill()
        assert layer_sizes(engine, server, [*LAYERS, lost], is_running=False) == LAYERS
        assert layer_sizes(engine, server, [], is_running=False) == {}

    def test_sums_tell_every_byte(
        self, bench: Bench, ollama: OllamaStandIn, engine: Engine
    ) -> None:
        server = str(ollama.container.id)
        self.fill(ollama)
        assert damaged_layers(engine, server, LAYERS, seconds=30) == []
        assert damaged_layers(engine, server, [], seconds=30) == []
        ollama.shell(f"printf Weights > {OLLAMA_BLOBS}/{WEIGHTS.replace(':', '-')}")
        lost = "sha256:lost"
        assert damaged_layers(engine, server, [*LAYERS, lost], seconds=30) == [WEIGHTS, lost]
