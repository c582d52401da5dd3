"""One look at the host, as the program of the stack takes it."""

from collections.abc import Iterator

import pytest

from plan.host import HostMinimum, HostQuestions
from runtime.host.look import HostLook
from tests.runtime.conftest import Bench


@pytest.fixture
def questions(bench: Bench) -> HostQuestions:
    """What every host has an answer to."""
    return HostQuestions(
        engine=None,
        owner=bench.owner,
        hardware="cpu",
        gpu_count=None,
        minimum=HostMinimum(cpu_cores=1, memory_gb=1, disk_gb=0.1),
        ports=(),
        volumes=(),
        networks=(),
        containers=(),
    )


@pytest.fixture
def look(bench: Bench) -> Iterator[HostLook]:
    made = HostLook(None, bench.owner, asks=True)
    yield made
    made.close()
