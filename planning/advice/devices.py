"""The GPUs that train together, as far as anybody knows them."""

from collections.abc import Sequence

from plan.host import HostFacts
from stack_configs.settings.host import HostSettings


def found_gb(facts: HostFacts) -> list[float] | None:
    """Memory of each GPU that the look at the host saw; None where it saw nothing of them."""
    return None if facts.gpus is None else [gpu.memory_gb for gpu in facts.gpus]


def used(host: HostSettings, found: Sequence[float] | None) -> Sequence[float]:
    """Those of the GPUs that were found that the settings give to a run."""
    if found is None:
        return ()
    return found if host.gpu.count == "all" else found[: host.gpu.count]


def processes(host: HostSettings, found: Sequence[float] | None) -> int | None:
    """One for each device, of every host of a cluster; None where nobody knows how many."""
    devices = len(used(host, found)) if host.gpu.count == "all" else host.gpu.count
    nodes = host.cluster.nodes if host.cluster else 1
    return devices * nodes or None
