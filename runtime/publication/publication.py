"""Publish a model: push what Ollama serves to a registry, with its card (O6).

What the registry has is not sent again. Deleting takes nothing back: others may have pulled it.
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

from plan.marker import ServedModelMarker, read_served_marker
from plan.model_card import CardRun, ModelCard
from plan.paths import OLLAMA_STORE, ollama_blob
from plan.publication import CARD_TYPE, PublicationResult, PublicationStep
from plan.secret import REGISTRY_PASSWORD
from plan.step import Request
from runtime.docker import archive
from runtime.docker.engine import Engine
from runtime.failure import StepError
from runtime.program import say
from runtime.progress.progress import QUIET_SECONDS, size
from runtime.publication.model_card import written
from runtime.publication.registry import MANIFEST_TYPE, RegistryClient, Source
from runtime.serving.layers import damaged_layers

KIND = PublicationStep
CHECK_SECONDS = 3600
"""For reading every layer once, from a slow disk."""
WEIGHTS_TYPE = "application/vnd.ollama.image.model"


def converge(request: Request[PublicationStep]) -> PublicationResult:
    """Push the model; under which name it is there, and which it is."""
    return _Publication(request).converge()


def delete(request: Request[PublicationStep]) -> Mapping[str, Sequence[str]]:
    """What was published stays."""
    say(f"{request.step.reference} stays in its registry; remove it there")
    return {"removed": []}


class _Publication:
    """One model on its way into a registry."""

    def __init__(self, request: Request[PublicationStep]) -> None:
        self._step = step = request.step
        self._engine = Engine(request.engine)
        self._title = f"publish {step.served_name}"
        self._registry = RegistryClient(
            step.registry,
            step.repository,
            password=os.environ.get(REGISTRY_PASSWORD),
            title=self._title,
        )

    def converge(self) -> PublicationResult:
        step = self._step
        served = self._served_manifest()
        card = self._card(served)
        layers = [_layer(layer) for layer in (*served["layers"], served["config"])]
        sources: dict[str, Source] = {
            layer["digest"]: partial(
                archive.streamed, self._engine, step.server, str(ollama_blob(layer["digest"]))
            )
            for layer in layers
        }
        *layers, config = layers
        if card is not None:
            digest = _digest(card)
            layers.append({"mediaType": CARD_TYPE, "digest": digest, "size": len(card)})
            sources[digest] = partial(BytesIO, card)
        manifest = _manifest(config, layers)
        digest = _digest(manifest)
        if self._registry.digest_of(step.tag) == digest:
            say(f"{self._title}: {step.reference} is this model already: nothing is sent")
        else:
            self._push([*layers, config], sources)
            self._registry.put_manifest(step.tag, manifest)
            say(f"{self._title}: it is {step.reference} now, {digest}")
        return PublicationResult(reference=step.reference, digest=digest)

    def _push(self, layers: Sequence[Mapping[str, Any]], sources: Mapping[str, Source]) -> None:
        """Send the layers that are missing."""
        missing = [layer for layer in layers if not self._registry.has(layer["digest"])]
        stored = [layer["digest"] for layer in missing if layer["mediaType"] != CARD_TYPE]
        if damaged := damaged_layers(
            self._engine, self._step.server, stored, seconds=CHECK_SECONDS
        ):
            raise StepError(
                f"{self._step.served_name} is not published: {damaged[0]} in Ollama's store is "
                f"damaged. Remove it (docker exec {self._step.server} rm "
                f"{ollama_blob(damaged[0])}), then run `pulumi up` again, which makes it again"
            )
        total = sum(layer["size"] for layer in missing)
        say(
            f"{self._title}: sending {len(missing)} of {len(layers)} layers, {size(total)}, to "
            f"{self._step.registry.host}"
        )
        progress = _Progress(self._title, total)
        for layer in missing:
            self._registry.push_layer(
                layer["digest"], layer["size"], sources[layer["digest"]], on_bytes=progress
            )

    def _served_manifest(self) -> dict[str, Any]:
        """The manifest of the model that has the name. Raises `StepError` for another's."""
        content = self._read(self._step.manifest)
        marker = self._marker()
        if content is None or marker is None:
            raise StepError(
                f"{self._step.served_name} is not served any more, and cannot be published. "
                "Run `pulumi up` again, which serves it"
            )
        if hashlib.sha256(content).hexdigest() != marker.manifest_digest:
            raise StepError(
                f"the model {self._step.served_name} is not the one that the stack has put there: "
                "it is not published. Remove it (ollama rm), then run `pulumi up` again"
            )
        found: dict[str, Any] = json.loads(content)
        return found

    def _card(self, manifest: Mapping[str, Any]) -> bytes | None:
        """The card, which stays beside the model's marker; None for a model that has none."""
        step = self._step
        if step.card is None:
            kept = self._read(step.card_file)
            if kept is None:
                say(f"{self._title}: model {step.serving} was served before it had a card")
            return kept
        card = written(self._completed(step.card, manifest)).encode()
        name = str(step.card_file.relative_to(OLLAMA_STORE))
        archive.put_files(self._engine, step.server, str(OLLAMA_STORE), {name: card})
        return card

    def _completed(self, card: ModelCard, manifest: Mapping[str, Any]) -> ModelCard:
        """The card with what only the work could tell."""
        marker = self._marker()
        weights = [each["size"] for each in manifest["layers"] if each["mediaType"] == WEIGHTS_TYPE]
        return replace(
            card,
            weights_bytes=sum(weights) if weights else None,
            parity=marker.parity if marker else {},
            answers=marker.answers if marker else (),
            runs=tuple(self._with_figures(run) for run in card.runs),
        )

    def _with_figures(self, run: CardRun) -> CardRun:
        if run.figures_file is None:
            return run
        # The server mounts the output volume: it reads GGUF files there.
        found = archive.read_json(self._engine, self._step.server, run.figures_file)
        return replace(run, figures=found or {})

    def _marker(self) -> ServedModelMarker | None:
        return read_served_marker(self._read(self._step.marker))

    def _read(self, path: PurePosixPath) -> bytes | None:
        return archive.read_file(self._engine, self._step.server, str(path))


class _Progress:
    """How much has been sent, told now and then."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total, self._sent = title, total, 0
        self._said = time.monotonic()

    def __call__(self, more: int) -> None:
        """So many bytes more; fewer than none for a layer that is begun anew."""
        self._sent += more
        if time.monotonic() - self._said > QUIET_SECONDS:
            self._said = time.monotonic()
            say(f"{self._title}: {size(self._sent)} of {size(self._total)} sent")


def _layer(layer: Mapping[str, Any]) -> dict[str, Any]:
    """What others need of it: Ollama may note where on this host it came from."""
    return {key: layer[key] for key in ("mediaType", "digest", "size")}


def _manifest(config: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]) -> bytes:
    """A manifest to the letter as Ollama writes what it has pulled: both know it by one digest."""
    return json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": layers},
        separators=(",", ":"),
    ).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
