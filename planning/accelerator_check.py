"""The accelerator check: proof that a container reaches the GPUs before one is paid for (H3)."""

import json

from plan import paths
from plan.container import Accelerator, Container
from plan.identity import file_digest, identity
from plan.step import ContainerStepPlan
from planning.step import BUNDLED_LIBGOMP, IN_CONTAINER, PROJECT, Surroundings, then_complete
from stack_configs.settings.host import HostSettings

PROGRAM = "accelerator_check.py"
EXPECTED = "expected.json"
FOUND = "accelerators.json"
DEADLINE_SECONDS = 900
"""A first look at many devices compiles kernels; minutes, not hours."""


def plan_accelerator_check(
    host: HostSettings, *, around: Surroundings, accelerator: Accelerator
) -> ContainerStepPlan | None:
    """The check in the image that trains, or None on a host that declares no accelerator."""
    if host.hardware == "cpu":
        return None
    image, program = around.images.llamafactory, f"{IN_CONTAINER}/{PROGRAM}"
    expected = {"hardware": host.hardware, "count": host.gpu.count}
    mark = identity("accelerator-check", image.recipe, expected, file_digest(PROJECT / program))
    folder = paths.partial(mark)
    return ContainerStepPlan(
        noun="accelerator-check",
        name=around.name("accelerator-check"),
        title=f"look for {host.hardware} accelerators",
        identity=mark,
        container=Container(
            image=image.reference,
            command=then_complete(
                mark, f"python {folder / PROGRAM} {folder / EXPECTED} {folder / FOUND}"
            ),
            environment=accelerator.environment,
            mounts=(around.volumes.output.mount(),),
            accelerator=accelerator,
            limits=around.limits,
        ),
        files={EXPECTED: json.dumps(expected) + "\n"},
        uploads={PROGRAM: program},
        results=FOUND,
        preload=BUNDLED_LIBGOMP,
        deadline_seconds=DEADLINE_SECONDS,
    )
