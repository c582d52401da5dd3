"""Superseded models that stay in Ollama's store, to go back to (O2)."""

import time
from dataclasses import replace
from datetime import UTC, datetime

from plan.marker import ServedModelMarker
from plan.ollama_model import OllamaModelStep, kept_name
from plan.paths import OLLAMA_STORE, evaluation_record, ollama_manifest, served_marker
from runtime.docker.engine import Engine
from runtime.docker.marker_files import write_marker
from runtime.program import say
from runtime.serving.layers import read_layers
from runtime.serving.ollama import Ollama
from runtime.serving.store import read_markers, serves


def keep_served(
    engine: Engine, stack: str, step: OllamaModelStep, ollama: Ollama, *, served: str
) -> bool:
    """Give the model that has the name another one beside it; whether it stays.

    `served` is the digest of its manifest. Its marker tells of the new name before the old one is
    taken: whatever breaks off then, it is known whose it is.
    """
    own = [
        marker
        for marker in read_markers(engine, step.server).values()
        if marker.served_name == step.served_name
        and marker.manifest_digest == served
        and marker.stack == stack
    ]
    if not own or not step.keep:
        return False
    if damaged := ollama.damaged_layers(read_layers(engine, step.server, step.manifest)):
        say(
            f"serve {step.served_name}: the model that served before does not stay: in Ollama's "
            f"store {damaged[0]} is damaged"
        )
        return False
    marker = max(own, key=lambda each: bool(each.superseded))
    name = kept_name(step.served_name, marker.identity)
    ollama.copy(step.served_name, name)
    kept = replace(
        marker,
        model=name,
        manifest=str(ollama_manifest(name)),
        superseded=step.served_name,
        superseded_at=time.time(),
    )
    path = str(served_marker(marker.identity))
    write_marker(engine, step.server, root=str(OLLAMA_STORE), path=path, marker=kept)
    say(f"serve {step.served_name}: the model that served before stays as {name}")
    return True


def prune_kept(
    engine: Engine, stack: str, step: OllamaModelStep, ollama: Ollama
) -> list[ServedModelMarker]:
    """Remove all but the last models that the step keeps; those that stay, the last one first."""
    kept = {
        folder: marker
        for folder, marker in read_markers(engine, step.server).items()
        if marker.superseded == step.served_name
        and marker.stack == stack
        and serves(engine, step.server, marker)
    }
    latest = sorted(kept, key=lambda folder: kept[folder].superseded_at, reverse=True)
    doomed = latest[step.keep :]
    for folder in doomed:
        say(f"serve {step.served_name}: removing {kept[folder].model}, as keep is {step.keep}")
    records = [evaluation_record(stack, kept[folder].identity).parent for folder in doomed]
    ollama.remove([kept[folder].model for folder in doomed])
    ollama.remove_folders([*doomed, *map(str, records)])
    return [kept[folder] for folder in latest[: step.keep]]


def as_output(marker: ServedModelMarker) -> dict[str, str]:
    """A kept model as `OllamaModelResult.kept` has it."""
    at = datetime.fromtimestamp(marker.superseded_at, tz=UTC)
    return {
        "identity": marker.identity,
        "model": marker.model,
        "superseded_at": at.isoformat(timespec="seconds"),
    }
