"""Converge one stage: a container that makes an artefact, once, whoever watches.

`stage.py converge` finds the artefact, attaches to its container, resumes or starts it;
`stage.py delete` removes the stage's containers and no artefact. The spec comes on stdin.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from runtime.docker import containers
from runtime.docker.engine import Engine
from runtime.program import Spec, part, run_program, say
from runtime.steps.stage_spec import read_stage_spec
from runtime.steps.stage_work import StageWork


def converge(spec: Spec) -> Mapping[str, Any]:
    """Make the artefact unless it is there; what it is and what came out of it."""
    stage = read_stage_spec(spec)
    return StageWork(Engine(spec.get("engine")), stage).converge()


def delete(spec: Spec) -> Mapping[str, Any]:
    """Remove every container of the stage."""
    engine = Engine(spec.get("engine"))
    name = part(spec, "name")
    removed = 0
    for container in containers.containers_of(engine, part(spec, "stack"), name):
        say(f"removing container {name} ({container['State']})")
        containers.stop(engine, str(container["Id"]))
        containers.remove(engine, str(container["Id"]))
        removed += 1
    return {"removed": removed}


if __name__ == "__main__":
    sys.exit(run_program({"converge": converge, "delete": delete}, sys.argv[1:]))
