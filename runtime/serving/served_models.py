"""Which models a server serves for a stack: those of the settings, and no others of the stack's.

It comes after all models of an up, so that a model which was renamed, moved or split answers under
its old name until the new one does.
"""

from collections.abc import Mapping, Sequence

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
    """Remove every model of the stack but those with these names; markers that vouch for nothing
    go too.
    """
    ollama = Ollama(engine, server, title="served models", seconds=DEADLINE_SECONDS)
    doomed, folders = set(), []
    for folder, marker in read_markers(engine, server).items():
        is_served = serves(engine, server, marker)
        if marker.stack not in (stack, "") or (is_served and marker.model in names):
            continue
        folders.append(folder)
        if is_served:
            say(f"removing model {marker.model}, which the settings do not name")
            doomed.add(marker.model)
    ollama.remove([*sorted(doomed), *trials(stack, ollama.models())])
    ollama.remove_folders(folders)
    return {"removed": sorted(doomed)}
