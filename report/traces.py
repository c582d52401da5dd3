"""Traces: for each step what it left on the host, and what its earlier runs left."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from plan.marker import read_artefact_marker, read_served_marker
from plan.ollama_model import OllamaModelStep
from plan.paths import MARKER, PARTIAL, REMOVED
from plan.step import ContainerStepPlan
from plan.survey import FoundFolder, Survey
from report.state import Step


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One folder that a step left, complete or not."""

    identity: str
    step: str = ""
    """Name of the step that made it."""
    is_complete: bool = True
    bytes: int = 0
    made: float = 0
    """Seconds since 1970."""
    seconds: float | None = None
    """How long it took to make; None where nobody saw."""
    texts: Mapping[str, str] = field(default_factory=dict)

    def json(self, name: str) -> dict[str, Any]:
        """A JSON object among its texts; empty where there is none that can be read."""
        try:
            found = json.loads(self.texts.get(name, "{}"))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def trace_of(step: Step, survey: Survey) -> Trace | None:
    """What a step of the state left; of one that is at work, what it has so far."""
    by_path = {folder.path: folder for folder in survey.folders}
    match step.plan:
        case ContainerStepPlan() as plan:
            found = by_path.get(str(plan.artefact)) or by_path.get(str(plan.partial))
            return _artefact(found) if found else None
        case OllamaModelStep() as plan:
            found = by_path.get(str(plan.marker.parent))
            return _served(found, survey.texts.get(str(plan.manifest))) if found else None
    return None


def earlier_traces(step: Step, survey: Survey) -> Sequence[Trace]:
    """What the step made under other settings and is still there, the newest first."""
    plan = step.plan
    if not isinstance(plan, ContainerStepPlan):
        return ()
    own = {str(plan.artefact), str(plan.partial)}
    traces = [_artefact(folder) for folder in survey.folders if folder.path not in own]
    found = [trace for trace in traces if trace.step == plan.name and trace.is_complete]
    return sorted(found, key=lambda trace: trace.made, reverse=True)


def _artefact(folder: FoundFolder) -> Trace:
    marker = read_artefact_marker(folder.texts.get(MARKER, "").encode())
    name = PurePosixPath(folder.path).name
    return Trace(
        identity=marker.identity if marker else name.removesuffix(PARTIAL),
        step=marker.step if marker else "",
        is_complete=not name.endswith((PARTIAL, REMOVED)),
        bytes=folder.bytes,
        made=folder.modified,
        seconds=marker.seconds if marker else None,
        texts=folder.texts,
    )


def _served(folder: FoundFolder, manifest: str | None) -> Trace | None:
    """A served model, whose weight is in the layers that its manifest lists."""
    marker = read_served_marker(folder.texts.get(MARKER, "").encode())
    if marker is None or manifest is None:
        return None
    layers = json.loads(manifest).get("layers", [])
    return Trace(
        identity=marker.identity,
        step=marker.step,
        bytes=sum(int(layer["size"]) for layer in layers),
        made=folder.modified,
        seconds=marker.seconds,
        texts={**folder.texts, "manifest.json": manifest},
    )
