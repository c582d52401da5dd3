"""The whole table of faults, on the real engine. Takes about half an hour."""

import docker
import pytest

from faults.table import FAULTS
from faults.trial import small_stack, try_fault
from tests.integration.stack import Stack

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(3600),
]


def test_one_up_heals_every_fault(tmp_path):
    stack = Stack(tmp_path / "home")
    small_stack(stack)
    try:
        made = stack.up()
        assert made.returncode == 0, made.output
        verdicts = [
            try_fault(docker.from_env(), stack, fault, number)
            for number, fault in enumerate(FAULTS, start=1)
        ]
    finally:
        stack.abandon()
    assert [each for each in verdicts if each.missed or each.complaints] == []
    assert all(each.answered for each in verdicts)
