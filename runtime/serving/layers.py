"""Layers: the files that the models of an Ollama server consist of, each named by its SHA-256.

Sizes are told by every look, and show what was cut off. The sums, which show everything, are read
before a layer that was there already becomes part of a model, and before a model is kept or comes
back.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from pathlib import PurePosixPath

from plan.paths import OLLAMA_BLOBS, ollama_blob
from runtime.docker import archive
from runtime.docker.engine import Engine, in_parallel
from runtime.docker.execution import execute, output_of
from runtime.failure import EngineError

LIST = ("sh", "-c", f"cd {OLLAMA_BLOBS} && stat -c '%s %n' -- sha256-*")


def layers_of(manifest: bytes | None) -> dict[str, int]:
    """Bytes of each layer of a model, by its digest; none of what is no manifest."""
    try:
        told = json.loads(manifest or b"null")
        layers = [*(told["layers"] or ()), told["config"]]
        return {str(layer["digest"]): int(layer["size"]) for layer in layers}
    except (ValueError, TypeError, KeyError):
        return {}


def read_layers(engine: Engine, container: str, manifest: PurePosixPath | str) -> dict[str, int]:
    """The same of the model whose manifest lies there."""
    return layers_of(archive.read_file(engine, container, str(manifest)))


def fault_of(layers: Mapping[str, int], there: Mapping[str, int]) -> str | None:
    """What is wrong with a model, as far as the sizes that are there tell; None for nothing."""
    for digest, size in layers.items():
        if digest not in there:
            return f"layer {digest} is gone from Ollama's store"
        if there[digest] != size:
            return f"layer {digest} in Ollama's store has {there[digest]} bytes, not {size}"
    return None


def layer_sizes(
    engine: Engine, container: str, wanted: Iterable[str], *, is_running: bool
) -> dict[str, int]:
    """Bytes of those layers that are there, by digest; perhaps of others too."""
    digests = sorted(set(wanted))
    if is_running and digests and (listed := all_layers(engine, container)):
        return listed
    ask = partial(archive.size_of, engine, container)
    sizes = in_parallel([partial(ask, str(ollama_blob(digest))) for digest in digests])
    return {digest: size for digest, size in zip(digests, sizes, strict=True) if size is not None}


def all_layers(engine: Engine, container: str) -> dict[str, int]:
    """Bytes of all layers, at the price of one call; none where a running container lacks the
    programs for it."""
    try:
        lines = output_of(engine, container, LIST).decode("utf-8", "replace").splitlines()
    except EngineError:
        return {}
    return {name.replace("-", ":", 1): int(size) for size, name in map(str.split, lines)}


def damaged_layers(
    engine: Engine, server: str, digests: Collection[str], *, seconds: float
) -> list[str]:
    """Those that are not what their names say. Reads every byte of them."""
    if not digests:
        return []
    paths = {str(ollama_blob(digest)): digest for digest in digests}
    summed = execute(engine, server, ["sha256sum", "--", *paths], seconds=seconds)
    found = {path: digest for digest, path in map(str.split, summed.output.splitlines())}
    return [digest for path, digest in paths.items() if f"sha256:{found.get(path)}" != digest]
