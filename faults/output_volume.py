"""The output volume of a stack, in and behind the stack's back."""

from collections.abc import Sequence
from typing import Any, Literal

from plan import paths
from tests.integration.stack import Stack


def run_in_output(
    client: Any, stack: Stack, image: str, command: Sequence[str], *, mode: Literal["ro", "rw"]
) -> bytes:
    """What a command prints in a container that has the volume at its place, and no network."""
    said: bytes = client.containers.run(
        image,
        list(command),
        volumes={f"{stack.physical_name}-output": {"bind": str(paths.OUTPUT), "mode": mode}},
        network_mode="none",
        remove=True,
    )
    return said
