"""Provenance: which bytes a model is made of, and out of which others, by which steps.

An in-toto statement with the predicate of SLSA v1, in an envelope (DSSE) that the operator signs.
https://slsa.dev/spec/v1.0/provenance
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from plan import labels
from plan.paths import MARKER, ollama_blob
from plan.survey import FoundFile, Survey
from report.lineage import Lineage, settings_of
from report.look import HostSight
from report.sbom.bills import MEDIA_TYPE, Bill
from report.state import StackState
from report.words import without_secrets

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD = f"urn:{labels.NAMESPACE}:build:model:v1"
"""How a model is built: what the parameters below mean."""


def digested_paths(lineage: Lineage) -> tuple[str, ...]:
    """Files and folders whose bytes the model is made of, or was made into."""
    return (
        *(str(plan.artefact) for _, plan in lineage.artefacts),
        *_inputs(lineage),
        str(lineage.plan.manifest),
        *(str(ollama_blob(str(layer["digest"]))) for layer in lineage.layers),
    )


def counted(survey: Survey) -> dict[str, FoundFile]:
    """The files that vouch for the model: all but the markers, which tell of ups and not of it."""
    return {path: file for path, file in survey.files.items() if not path.endswith(f"/{MARKER}")}


def statement(
    lineage: Lineage,
    state: StackState,
    sight: HostSight,
    digests: Survey,
    bills: Sequence[Bill] = (),
) -> dict[str, Any]:
    """What is known of one model; `digests` has its files, and no others, `bills` its images."""
    files = counted(digests)
    bases = (str(plan.artefact) for _, plan in lineage.artefacts if plan.noun == "base-model")
    inputs = {PurePosixPath(path) for path in (*_inputs(lineage), *bases)}
    is_input = {
        path: not inputs.isdisjoint([PurePosixPath(path), *PurePosixPath(path).parents])
        for path in files
    }
    return {
        "_type": STATEMENT,
        "subject": _described(files, [path for path in files if not is_input[path]]),
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {
                    "stack": lineage.serve.request.owner.stack,
                    "model": without_secrets(settings_of(state, lineage.name)),
                },
                "internalParameters": {
                    "steps": list(_steps(lineage)),
                    "paths": sorted(digested_paths(lineage)),
                },
                "resolvedDependencies": [
                    *_described(files, [path for path in files if is_input[path]]),
                    *(_hub(lineage)),
                    *(_images(lineage, sight)),
                ],
            },
            "runDetails": {
                "builder": {
                    "id": f"urn:{labels.NAMESPACE}:engine:{sight.engine.get('ID', '')}",
                    "version": {
                        "pulumi": state.cli_version,
                        "docker": str(sight.engine.get("ServerVersion", "")),
                    },
                },
                "metadata": {
                    "invocationId": lineage.plan.identity,
                    **_times(lineage),
                },
                "byproducts": [*_bills(lineage, bills)],
            },
        },
    }


def differences(told: Mapping[str, Any], found: Survey) -> list[str]:
    """Every file of a statement that is gone or has other bytes, and every one that came since."""
    files = counted(found)
    entries = [*told["subject"], *told["predicate"]["buildDefinition"]["resolvedDependencies"]]
    expected = {
        entry["name"]: entry["digest"]["sha256"]
        for entry in entries
        if str(entry.get("name", "")).startswith("/")
    }
    return [
        *(f"{path} is gone" for path in sorted(expected.keys() - files.keys())),
        *(
            f"{path} has other bytes: {files[path].sha256}, not {expected[path]}"
            for path in sorted(expected.keys() & files.keys())
            if files[path].sha256 != expected[path]
        ),
        *(f"{path} was not there" for path in sorted(files.keys() - expected.keys())),
    ]


def paths_of(told: Mapping[str, Any]) -> tuple[str, ...]:
    """What has to be digested again to compare it with a statement."""
    return tuple(told["predicate"]["buildDefinition"]["internalParameters"]["paths"])


def read_statement(payload: bytes) -> dict[str, Any]:
    """A statement of this kind. Raises `ValueError` for any other."""
    told = json.loads(payload)
    if told.get("_type") != STATEMENT or told.get("predicateType") != PREDICATE:
        raise ValueError("it is no provenance of SLSA v1")
    if told["predicate"]["buildDefinition"]["buildType"] != BUILD:
        raise ValueError("it is of something that this project has not built")
    return dict(told)


def _inputs(lineage: Lineage) -> tuple[str, ...]:
    """Data and base weights that no step of the model makes."""
    origin, folder = lineage.origin, lineage.base_folder
    return (
        *(file.target for file in lineage.datasets),
        *(origin.files if origin else ()),
        *([folder] if folder else ()),
    )


def _described(files: Mapping[str, FoundFile], names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "name": path,
            "digest": {"sha256": files[path].sha256},
            "annotations": {"bytes": files[path].bytes},
        }
        for path in sorted(names)
    ]


def _steps(lineage: Lineage) -> Iterator[dict[str, Any]]:
    for _, plan in lineage.artefacts:
        yield {
            "name": plan.name,
            "step": plan.noun,
            "identity": plan.identity,
            "image": plan.container.image,
            "command": list(plan.container.command),
            "files": dict(plan.files),
        }
    yield {
        "name": lineage.plan.name,
        "step": "ollama-model",
        "identity": lineage.plan.identity,
        "modelfile": lineage.plan.modelfile,
    }


def _hub(lineage: Lineage) -> Iterator[dict[str, Any]]:
    if origin := lineage.origin:
        yield {"uri": origin.uri, "digest": {"gitCommit": origin.commit}}


def _bills(lineage: Lineage, bills: Sequence[Bill]) -> Iterator[dict[str, Any]]:
    """What is in the images; the files lie beside the report."""
    for bill in bills:
        if bill.document and bill.reference in _used(lineage):
            yield {
                "name": bill.path,
                "digest": {"sha256": bill.sha256},
                "mediaType": MEDIA_TYPE,
                "annotations": {"image": bill.reference},
            }


def _used(lineage: Lineage) -> set[str]:
    """References of the images that made the model."""
    return {plan.container.image for _, plan in lineage.artefacts}


def _images(lineage: Lineage, sight: HostSight) -> Iterator[dict[str, Any]]:
    for image in sight.images:
        if image.reference in _used(lineage):
            digest = image.id.removeprefix("sha256:")
            yield {"uri": f"docker-image:{image.reference}", "digest": {"sha256": digest}}


def _times(lineage: Lineage) -> dict[str, str]:
    made = [trace.made for trace in lineage.traces.values() if trace is not None and trace.made]
    if not made:
        return {}
    return {"finishedOn": datetime.fromtimestamp(max(made), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
