"""Damages what a step has made, in the volume and behind the stack's back."""

from collections.abc import Mapping
from typing import Any

from faults.judge import Artefact
from faults.output_volume import run_in_output
from faults.table import Fault, Kind
from plan import paths
from tests.integration.stack import Stack

COMMANDS = {
    Kind.ARTEFACT_GONE: "rm -r {folder}",
    Kind.MARKER_GONE: "rm {folder}/{marker}",
    Kind.MARKER_CUT: "truncate -s $(($(stat -c %s {folder}/{marker}) / 2)) {folder}/{marker}",
}


def damage(
    client: Any, stack: Stack, fault: Fault, image: str, whole: Mapping[str, Artefact]
) -> None:
    """Damage the last artefact of the step: the one that what serves is made of."""
    step = f"{stack.physical_name}-stack-guide-{fault.step.name}"
    name = max(
        (name for name, artefact in whole.items() if artefact.step == step),
        key=lambda name: whole[name].modified,
    )
    command = COMMANDS[fault.kind].format(folder=paths.artefact(name), marker=paths.MARKER)
    run_in_output(client, stack, image, ["sh", "-ec", command], mode="rw")
