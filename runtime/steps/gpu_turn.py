"""Trainings that each take all the GPUs of a host go one after another, also those of other stacks.

The engine's own order of creation decides, so that no two can begin at once and a training that
failed keeps nobody waiting.
"""

import time

from plan import labels
from runtime.docker import containers
from runtime.docker.engine import Engine
from runtime.failure import MissingError
from runtime.program import say
from runtime.progress.progress import duration

LOOK_SECONDS = 2.0
SAY_SECONDS = 60.0


def wait_for_turn(engine: Engine, container: str, *, title: str) -> None:
    """Return once no training that came before a created container holds the GPUs.

    Raises `MissingError` when somebody removes the container meanwhile.
    """
    began, said = time.monotonic(), 0.0
    while ahead := _ahead(engine, container):
        waited = time.monotonic() - began
        if not said or waited - said >= SAY_SECONDS:
            said = waited or SAY_SECONDS
            say(f"{title}: waits for the GPUs, {ahead} ({duration(waited)})")
        time.sleep(LOOK_SECONDS)


def _ahead(engine: Engine, container: str) -> str | None:
    """The training that goes first, in words."""
    mine = _order(engine, container)
    for other in containers.list_containers(engine, labels.ACCELERATOR):
        name = containers.name_of(other)
        if other["Id"] == container:
            continue
        if other["State"] in ("running", "paused", "restarting"):
            return f"{name} has them"
        if other["State"] == "created" and _came_before(engine, str(other["Id"]), mine):
            # Its caller starts it; one that was killed never will.
            return f"{name} came before it (docker rm {name} where nobody starts that any more)"
    return None


def _came_before(engine: Engine, other: str, mine: tuple[str, str]) -> bool:
    try:
        return _order(engine, other) < mine
    except MissingError:
        return False


def _order(engine: Engine, container: str) -> tuple[str, str]:
    """When it was created, to the nanosecond; the id tells two of one moment apart."""
    return str(containers.inspect(engine, container)["Created"]), container
