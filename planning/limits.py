"""What no container of a stack may exceed."""

from plan.container import GIB, Limits
from stack_configs.settings.host import HostSettings


def plan_limits(host: HostSettings) -> Limits:
    """The same for all of them: a step has the host to itself, or shares it with services."""
    memory = host.limits.memory_gb
    return Limits(
        memory_bytes=None if memory is None else int(memory * GIB), processes=host.limits.processes
    )
