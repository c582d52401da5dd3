"""The whole table of faults, on the real engine. Takes about an hour."""

from collections.abc import Iterator

import docker
import pytest

from faults.table import FAULTS
from faults.trial import small_stack, try_fault
from tests.integration.stack import Stack

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("faults") / "home")
    small_stack(made)
    try:
        update = made.up()
        assert update.returncode == 0, update.output
        yield made
    finally:
        made.abandon()


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=[fault.name for fault in FAULTS])
def test_one_up_heals(stack: Stack, number: int):
    verdict = try_fault(docker.from_env(), stack, FAULTS[number], number)
    assert (verdict.missed, verdict.complaints) == ("", ())
    assert verdict.answered
