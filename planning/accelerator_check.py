"""The accelerator check: proof that a container reaches the GPUs before one is paid for (H3)."""

import json

from planning import paths
from planning.base_model import IN_CONTAINER
from planning.container import Accelerator, ContainerPlan
from planning.fingerprint import file_digest, fingerprint
from planning.images import PROJECT, ImagePlan
from planning.stage import OUTPUT_MOUNT, StagePlan, then_complete
from stack_configs.settings.host import HostSettings

PROGRAM = "accelerator_check.py"
EXPECTED = "expected.json"
FOUND = "accelerators.json"
DEADLINE_SECONDS = 900
"""A first look at many devices compiles kernels; minutes, not hours."""


def plan_accelerator_check(
    host: HostSettings, *, name: str, image: ImagePlan, accelerator: Accelerator
) -> StagePlan | None:
    """The check in the image that trains, or None on a host that declares no accelerator."""
    if host.hardware == "cpu":
        return None
    program = f"{IN_CONTAINER}/{PROGRAM}"
    expected = {
        "hardware": host.hardware,
        "count": host.gpu.count,
        "memory_gb": host.gpu.memory_gb,
    }
    mark = fingerprint(
        "accelerator-check", image.reference, expected, file_digest(PROJECT / program)
    )
    folder = paths.partial(mark)
    return StagePlan(
        noun="accelerator-check",
        name=name,
        title=f"look for {host.hardware} accelerators",
        fingerprint=mark,
        container=ContainerPlan(
            image=image.role,
            command=then_complete(
                mark, f"python {folder / PROGRAM} {folder / EXPECTED} {folder / FOUND}"
            ),
            environment=accelerator.environment,
            mounts=(OUTPUT_MOUNT,),
            network="none",
            accelerator=accelerator,
        ),
        files={EXPECTED: json.dumps(expected) + "\n"},
        uploads={PROGRAM: program},
        results=FOUND,
        deadline_seconds=DEADLINE_SECONDS,
    )
