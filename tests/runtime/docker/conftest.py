"""Steps whose program reaches the engine in a way of its own."""

import os
import subprocess
import sys
from dataclasses import replace

from plan import paths
from plan.codec import encode
from plan.container import MIB, Container, Mount
from plan.owner import Owner
from plan.step import ContainerStepPlan, Request
from tests.runtime.conftest import IMAGE, PROJECT, Bench


def start_step(
    bench: Bench, script: str, *, engine: str | None = None, **environment: str
) -> subprocess.Popen[str]:
    """The program of a step whose container runs a shell script and then leaves its artefact."""
    owner = Owner(stack=bench.stack, id="0123456789ab")
    bench.client.volumes.create(bench.volume, labels=owner.labels)
    step = ContainerStepPlan(
        name=f"{bench.stack}-sft",
        noun="training-run",
        title="train guide",
        identity="f1",
        container=Container(
            image=IMAGE,
            mounts=(Mount(source=bench.volume, target=str(paths.OUTPUT)),),
            network="none",
            shm_bytes=64 * MIB,
        ),
        deadline_seconds=60,
    )
    command = ("sh", "-ec", f"{script}; mv {step.partial} {step.artefact}")
    step = replace(step, container=replace(step.container, command=command))
    process = subprocess.Popen(
        [sys.executable, "-m", "runtime", step.noun, "converge"],
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    process.stdin.write(encode(Request(engine=engine, owner=owner, step=step, token="t1")))
    process.stdin.close()
    process.stdin = None
    return process


def end_step(process: subprocess.Popen[str]) -> str:
    """What the operator has read of a step that ended well."""
    _, words = process.communicate(timeout=30)
    assert process.returncode == 0, words
    return words
