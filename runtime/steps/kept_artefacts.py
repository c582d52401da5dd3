"""How many superseded artefacts stay: the last of each step, as many as its model says (O4).

It comes after all models of an up, so that nothing goes before what superseded it serves.
"""

from collections.abc import Mapping, Sequence

from plan import paths
from plan.artefacts import beyond_keep, read_artefact
from plan.removal import DoomedFolder, Removal
from plan.step import KeptArtefactsStep, Request
from plan.survey import SurveyRequest
from runtime.docker import containers
from runtime.docker.engine import Engine
from runtime.docker.neighbours import neighbours
from runtime.program import say
from runtime.progress.progress import size
from runtime.removal import remove_folders
from runtime.survey import take_survey

KIND = KeptArtefactsStep


def converge(request: Request[KeptArtefactsStep]) -> Mapping[str, Sequence[str]]:
    """Remove the artefacts beyond that number; their identities."""
    engine, owner, step = Engine(request.engine), request.owner, request.step
    found = containers.list_containers(engine)
    if others := sorted(neighbours(found, owner, step.mount)):
        say(
            f"keep: {step.mount.source} is also the directory of {', '.join(others)}, which may "
            "need what this stack has superseded. Nothing is removed; `make prune` asks them all"
        )
        return {"removed": []}
    wanted = SurveyRequest(roots=(str(paths.RUNS),), kept_texts=(paths.MARKER,))
    mounts = (step.mount,)
    survey = take_survey(engine, owner, wanted, image=step.image, mounts=mounts)
    artefacts = [read_artefact(folder) for folder in survey.folders]
    doomed = list(beyond_keep(artefacts, owner.stack, step.references))
    for artefact in doomed:
        say(
            f"removing {artefact.identity} of {artefact.step} ({size(artefact.bytes)}), as keep is "
            f"{step.references.keep[artefact.step]}"
        )
    if doomed:
        folders = tuple(DoomedFolder(path=artefact.path) for artefact in doomed)
        remove_folders(engine, owner, Removal(folders=folders), image=step.image, mounts=mounts)
    return {"removed": [artefact.identity for artefact in doomed]}


def delete(_request: Request[KeptArtefactsStep]) -> Mapping[str, Sequence[str]]:
    """Nothing: artefacts go with their volume, or stay with it."""
    return {"removed": []}
