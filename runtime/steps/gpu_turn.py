"""Trainings that each take all the GPUs of a host go one after another, also those of other stacks.

The engine's own order of creation decides, so that no two can begin at once and a training that
failed keeps nobody waiting.
"""

import time
from collections.abc import Mapping
from typing import Any

from plan import labels
from runtime.docker import containers
from runtime.docker.engine import Engine
from runtime.program import say
from runtime.report.progress import duration

LOOK_SECONDS = 2.0
SAY_SECONDS = 60.0


def wait_for_turn(engine: Engine, container: str, *, title: str) -> None:
    """Return once no training that came before a created container holds the GPUs."""
    began, said = time.monotonic(), 0.0
    while ahead := _ahead(engine, container):
        waited = time.monotonic() - began
        if not said or waited - said >= SAY_SECONDS:
            said = waited or SAY_SECONDS
            say(f"{title}: waits for the GPUs, {ahead} has them ({duration(waited)})")
        time.sleep(LOOK_SECONDS)


def _ahead(engine: Engine, container: str) -> str | None:
    """Name of a training that goes first."""
    found = containers.list_containers(engine, labels.ACCELERATOR)
    (mine,) = [each for each in found if each["Id"] == container]
    for other in found:
        if other["Id"] != container and _goes_first(engine, other, mine):
            return containers.name_of(other)
    return None


def _goes_first(engine: Engine, other: containers.Summary, mine: containers.Summary) -> bool:
    if other["State"] in ("running", "paused", "restarting"):
        return True
    return other["State"] == "created" and _order(engine, other) < _order(engine, mine)


def _order(engine: Engine, container: Mapping[str, Any]) -> tuple[str, str]:
    """When it was created, to the nanosecond; the id tells two of one moment apart."""
    created = str(containers.inspect(engine, str(container["Id"]))["Created"])
    return created, str(container["Id"])
