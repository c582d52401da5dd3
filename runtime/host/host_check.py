"""Look at the host once, before an up: what is wrong with it, and which work is still there.

Starts nothing and leaves nothing behind. The spec comes on stdin; problems are part of the
answer, not a failure of this program.
"""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from runtime.docker.engine import Engine
from runtime.failure import EngineUnreachableError
from runtime.host.host_facts import look
from runtime.host.host_gpus import gpu_memory, gpu_problems
from runtime.host.host_ports import port_problems
from runtime.host.host_problems import (
    HostProblem,
    hardware_problems,
    ownership_problems,
    size_problems,
)
from runtime.program import Spec, part, run_program
from runtime.host.tokens import PLANNED, found_tokens, new_token


def check(spec: Spec) -> Mapping[str, Any]:
    """Problems, the token of every step, and facts."""
    probes = part(spec, "probes")
    if part(spec, "check") == "plan_only":
        return {
            "problems": [],
            "tokens": {probe["step"]: PLANNED for probe in probes},
            "facts": {},
        }
    engine = Engine(spec.get("engine"))
    try:
        return _check(engine, spec)
    except EngineUnreachableError as error:
        problem = HostProblem(
            key="host.engine",
            value=engine.address,
            rule=error.reason,
            way_out=error.way_out,
        )
        return {
            "problems": [asdict(problem)],
            "tokens": {probe["step"]: new_token() for probe in probes},
            "facts": {},
        }


def _check(engine: Engine, spec: Spec) -> Mapping[str, Any]:
    stack, hardware = part(spec, "stack"), part(spec, "hardware")
    facts = look(engine)
    gpus = gpu_memory(hardware) if engine.is_local else None
    found = found_tokens(
        engine,
        facts,
        part(spec, "probes"),
        stack=stack,
        helper_images=spec.get("helper_images") or (),
    )
    problems = [
        *size_problems(facts, part(spec, "minimum"), work_left=None in found.values()),
        *hardware_problems(facts, hardware, is_local=engine.is_local),
        *gpu_problems(gpus, part(spec, "gpu")),
        *port_problems(
            facts.containers, part(spec, "ports"), stack=stack, is_local=engine.is_local
        ),
        *ownership_problems(
            facts,
            stack=stack,
            volumes=part(spec, "volumes"),
            networks=part(spec, "networks"),
            containers=part(spec, "containers"),
        ),
    ]
    unchecked = []
    if facts.disk_free is None:
        unchecked.append("free disk space: the engine's data root cannot be seen from here")
    if gpus is None and hardware != "cpu":
        unchecked.append("GPU memory: no driver here tells of it")
    if not engine.is_local:
        unchecked.append("ports held by programs outside Docker: the engine is on another host")
        if hardware != "cpu":
            unchecked.append(f"the {hardware} driver: the engine is on another host")
    return {
        "problems": [asdict(problem) for problem in problems],
        "tokens": {step: token or new_token() for step, token in found.items()},
        "facts": facts.summary(unchecked),
    }


if __name__ == "__main__":
    sys.exit(run_program({"check": check}, sys.argv[1:] or ["check"]))
