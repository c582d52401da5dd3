"""Deletes what the programs of the version before made: states of that version name their files.

Gone with the next release, and with it the files in components/runtime that lead here.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from plan import labels
from plan.owner import Owner
from runtime.docker import containers
from runtime.docker.engine import Engine
from runtime.failure import StepError
from runtime.program import run, say
from runtime.serving.ollama import Ollama
from runtime.serving.store import is_running, read_markers, serves

DEADLINE_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True)
class FormerRequest:
    """What those programs read on standard input, as far as a delete needs it."""

    engine: str | None
    stack: str
    name: str
    """Of the step."""
    server: str = ""
    """Container of the Ollama server; for a model alone, as the next two."""
    served_name: str = ""
    fingerprint: str = ""

    @property
    def trials(self) -> tuple[str, ...]:
        """Names that its model had for the time of the work."""
        family = self.served_name.partition(":")[0]
        return tuple(f"{family}:{kind}-{self.fingerprint}" for kind in ("candidate", "replaced"))


def converge(_request: FormerRequest) -> Mapping[str, object]:
    """Nothing: this version plans its steps in another way. Raises `StepError`."""
    raise StepError(
        "this step was planned by the version before. Run `pulumi up`, which plans it anew"
    )


def delete(request: FormerRequest) -> Mapping[str, object]:
    """Remove the step's containers, and the model that it alone serves."""
    engine = Engine(request.engine)
    found = containers.containers_of(engine, Owner(stack=request.stack), request.name)
    # Those with an owner are of this version.
    left = [container for container in found if labels.OWNER not in container["Labels"]]
    for container in left:
        say(f"removing container {request.name} ({container['State']})")
        containers.stop(engine, str(container["Id"]))
        containers.remove(engine, str(container["Id"]))
    models = _remove_model(engine, request) if request.server else []
    return {"removed": len(left), "models": models}


def _remove_model(engine: Engine, request: FormerRequest) -> list[str]:
    """Nothing that this version serves: it says so in markers that name a stack."""
    if not is_running(engine, request.server):
        say(f"{request.server} does not run: the models in its directory stay")
        return []
    markers = read_markers(engine, request.server)
    served = {folder: m for folder, m in markers.items() if serves(engine, request.server, m)}
    taken_over = {marker.model for marker in served.values() if marker.stack}
    mine = [f for f, marker in markers.items() if marker.step == request.name and not marker.stack]
    doomed = {served[folder].model for folder in mine if folder in served} - taken_over
    title = f"remove {request.name}"
    ollama = Ollama(engine, request.server, title=title, seconds=DEADLINE_SECONDS)
    removed = sorted(doomed | {*request.trials} & {*ollama.models()})
    ollama.remove(removed)
    ollama.remove_folders(mine)
    return removed


if __name__ == "__main__":
    sys.exit(run({"converge": converge, "delete": delete}[sys.argv[1]], FormerRequest))
