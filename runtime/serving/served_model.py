"""A served model: its names, and what the store of its server tells of it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from runtime.docker import archive
from runtime.docker.engine import Engine
from runtime.program import Spec, part

TRIALS = ("candidate-", "replaced-")
"""Tags that a step gives for the time of its work."""


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model, its server, and where the store tells about it."""

    step: str
    fingerprint: str
    server: str
    served_name: str
    marker: str
    manifest: str

    @property
    def family(self) -> str:
        """The name without its tag."""
        return self.served_name.partition(":")[0]

    @property
    def store(self) -> str:
        """Ollama's folder; markers lie at STORE/finetune-stack/FINGERPRINT/."""
        return str(PurePosixPath(self.marker).parents[2])

    @property
    def markers(self) -> str:
        """The folder of all markers."""
        return str(PurePosixPath(self.marker).parents[1])

    def trials(self, models: Sequence[str]) -> list[str]:
        """Those of the models that an interrupted step of this one left behind."""
        return [name for name in models if name.startswith(tuple(self._trial(t) for t in TRIALS))]

    def trial(self, kind: str) -> str:
        """A name for the time of the work."""
        return f"{self._trial(kind)}{self.fingerprint}"

    def _trial(self, kind: str) -> str:
        return f"{self.family}:{kind}"


@dataclass(frozen=True, kw_only=True)
class Marker:
    """What a marker in the store says of a model that was served."""

    folder: str
    served_name: str
    manifest: str
    digest: str


def read_model(spec: Spec) -> ServedModel:
    """The model that a spec from stdin describes."""
    return ServedModel(
        step=part(spec, "name"),
        fingerprint=part(spec, "fingerprint"),
        server=part(spec, "server"),
        served_name=part(spec, "served_name"),
        marker=part(spec, "marker"),
        manifest=part(spec, "manifest"),
    )


def digest(engine: Engine, model: ServedModel, manifest: str | None = None) -> str | None:
    """What is served under a name now, by default the model's; None when nothing is."""
    content = archive.read_file(engine, model.server, manifest or model.manifest)
    return None if content is None else hashlib.sha256(content).hexdigest()


def still_ours(engine: Engine, model: ServedModel, markers: Sequence[Marker]) -> list[str]:
    """Names under which these markers' models are still served.

    A model that somebody else put under such a name is not the stack's to remove.
    """
    names = {
        marker.served_name
        for marker in markers
        if digest(engine, model, marker.manifest) == marker.digest
    }
    return sorted(names)


def markers_of(engine: Engine, model: ServedModel) -> list[Marker]:
    """Every marker of this step, now and before, and of whatever had the served name."""
    found = []
    for name, content in (archive.read_files(engine, model.server, model.markers) or {}).items():
        try:
            said = json.loads(content)
        except ValueError:
            continue
        if said.get("model") == model.served_name or said.get("step") == model.step:
            folder = PurePosixPath(model.markers).parent / PurePosixPath(name).parent
            found.append(
                Marker(
                    folder=str(folder),
                    served_name=str(said.get("model")),
                    manifest=str(said.get("manifest") or model.manifest),
                    digest=str(said.get("manifest_digest")),
                )
            )
    return found
