"""Which models a server serves for a stack: those of the settings, and no others of the stack's.

It comes after all models of an up, so that a model which was renamed, moved or split answers under
its old name until the new one does.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from plan.paths import EVALUATIONS
from plan.step import Request, ServedModelsStep
from runtime.docker.engine import Engine
from runtime.program import say
from runtime.serving.ollama import Ollama
from runtime.serving.store import is_running, read_markers, serves, trials

KIND = ServedModelsStep
DEADLINE_SECONDS = 600.0


def converge(request: Request[ServedModelsStep]) -> Mapping[str, Sequence[str]]:
    """Remove the stack's models that the settings name no more, and what interruptions left."""
    return keep(
        Engine(request.engine),
        request.owner.stack,
        request.step.server,
        names=request.step.served_names,
    )


def delete(request: Request[ServedModelsStep]) -> Mapping[str, Sequence[str]]:
    """Remove all models of the stack, unless they stay or go with their store."""
    engine, step = Engine(request.engine), request.step
    if step.keep:
        return {"removed": []}
    if not is_running(engine, step.server):
        say(f"{step.server} does not run: the models in its directory stay")
        return {"removed": []}
    return keep(engine, request.owner.stack, step.server, names=())


def keep(engine: Engine, stack: str, server: str, *, names: Sequence[str]) -> dict[str, list[str]]:
    """Remove every model of the stack but those that have or had these names; markers that vouch
    for nothing go too, and records of evaluations that led to nothing.
    """
    ollama = Ollama(engine, server, title="served models", seconds=DEADLINE_SECONDS)
    doomed, folders, remain = set(), [], set()
    for folder, marker in read_markers(engine, server).items():
        is_served = serves(engine, server, marker)
        if marker.stack not in (stack, "") or (is_served and marker.served_name in names):
            remain.add(PurePosixPath(folder).name)
            continue
        folders.append(folder)
        if is_served:
            say(f"removing model {marker.model}, which the settings do not name")
            doomed.add(marker.model)
    ollama.remove([*sorted(doomed), *trials(stack, ollama.models())])
    records = EVALUATIONS / stack
    past = [name for name in ollama.folders(str(records)) if name not in remain]
    ollama.remove_folders([*folders, *(str(records / name) for name in past)])
    return {"removed": sorted(doomed)}
