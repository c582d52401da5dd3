"""Leaves a record of what a training took, for the forecasts to come."""

import time
from functools import partial

from plan import paths
from plan.codec import encode
from plan.step import ContainerStepPlan
from plan.training_record import TrainingRecord
from runtime.docker import archive, containers
from runtime.docker.engine import Engine, in_parallel


def leave_record(engine: Engine, container: str, step: ContainerStepPlan) -> None:
    """Keep what a step took whose container has ended; of a training that told its steps alone."""
    if step.noun != "training-run" or step.results is None:
        return
    state, results = in_parallel(
        [
            partial(archive.read_json, engine, container, str(step.artefact / name))
            for name in (paths.TRAINER_STATE, step.results)
        ]
    )
    if not state or not results or not isinstance(steps := state.get("global_step"), int):
        return
    record = TrainingRecord(
        identity=step.identity,
        step=step.name,
        arguments=step.files.get(paths.TRAINING_ARGUMENTS, ""),
        accelerator=step.container.accelerator,
        steps=steps,
        tokens=step.foretold_tokens,
        seconds=containers.run_seconds(engine, container),
        finished_at=round(time.time(), 1),
        results=results,
    )
    name = str(paths.training_record(step.identity).relative_to(step.volume))
    archive.put_files(engine, container, step.volume, {name: f"{encode(record)}\n".encode()})
