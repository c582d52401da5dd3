"""Markers: the files that say which work is complete, and whose.

The one inside an artefact begins to count with the rename that completes the artefact. The one of a
served model lies in the store that the model is in.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from plan.codec import DecodeError, decode
from plan.evaluation import EvaluationSummary

M = TypeVar("M")

FORMER_IDENTITY = "fingerprint"
"""What a served model's marker of the version before calls the identity; read for one release."""


@dataclass(frozen=True, kw_only=True)
class ArtefactMarker:
    """What a finished artefact, or a registration of data sets, says of itself."""

    identity: str
    step: str = ""
    """Name of the step that made it."""
    stack: str = ""
    """Whose it is; empty in what an earlier version left."""
    token: str = ""
    """Vouches for the artefact: a step whose marker is gone gets another token, and runs again."""
    seconds: float | None = None
    """How long the container ran that completed it; None where nobody was there to see."""
    has_sums: bool = False
    """Whether it has a list of sums to be held against; not what an earlier version made."""


@dataclass(frozen=True, kw_only=True)
class ServedModelMarker:
    """What the store of an Ollama server says of a model that the stack put there."""

    identity: str
    step: str
    """Name of the step that serves it now."""
    model: str
    """Name in the store, `name:tag`: the served one, or that of a model which is kept."""
    manifest: str
    """Path of the model's manifest."""
    manifest_digest: str
    """SHA-256 of the manifest: another one there is not the stack's."""
    stack: str = ""
    """Whose it is; empty in what an earlier version left."""
    token: str = ""
    answers: tuple[Mapping[str, str], ...] = ()
    """What it answered before it was served: `prompt` and `answer`."""
    parity: Mapping[str, str] = field(default_factory=dict)
    """Conversations that were compared with training, and how they differ; empty where they are
    equal."""
    evaluation: EvaluationSummary | None = None
    """Of the last evaluation that it passed."""
    seconds: float | None = None
    """How long it took to make, compare and ask it; None in what an earlier version left."""
    superseded: str = ""
    """Served name that it had until another model took it; empty while it serves."""
    superseded_at: float = 0.0
    """Seconds since 1970."""

    @property
    def served_name(self) -> str:
        """The name that it serves, or served until it was superseded."""
        return self.superseded or self.model


def read_artefact_marker(content: bytes | None) -> ArtefactMarker | None:
    """The marker in a file; None when there is none or it was cut off half-way."""
    return _read(ArtefactMarker, content)


def read_served_marker(content: bytes | None) -> ServedModelMarker | None:
    """The marker in a file; None when there is none or it was cut off half-way.

    One of the version before counts: it says which model is there to be removed.
    """
    return _read(ServedModelMarker, content, former_keys={FORMER_IDENTITY: "identity"})


def _read(
    kind: type[M], content: bytes | None, *, former_keys: Mapping[str, str] | None = None
) -> M | None:
    if content is None:
        return None
    try:
        said = json.loads(content)
        if isinstance(said, dict):
            said = {(former_keys or {}).get(key, key): value for key, value in said.items()}
        return decode(kind, json.dumps(said))
    except (ValueError, DecodeError):
        return None
