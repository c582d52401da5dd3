"""The one entry of all programs: what it takes, and what it says when it cannot."""

import dataclasses
import importlib
import json
from typing import get_args

import pytest

from plan.codec import as_json
from plan.owner import Owner
from plan.step import LeftoversStep, Noun, Request, StepPlan
from runtime.__main__ import MODULES
from tests.runtime.conftest import end, start_program

LEFTOVERS = Request(engine=None, owner=Owner(stack="demo"), step=LeftoversStep(name="leftovers"))


def test_every_step_has_a_program():
    assert MODULES.keys() == set(get_args(Noun))


@pytest.mark.parametrize("module", sorted(set(MODULES.values())))
def test_a_program_says_what_it_takes(module: str):
    program = importlib.import_module(module)
    assert issubclass(program.KIND, StepPlan)
    assert dataclasses.is_dataclass(program.KIND)
    assert callable(program.converge)
    assert callable(program.delete)


@pytest.mark.parametrize(
    "arguments", [[], ["merge"], ["nonsense", "converge"], ["merge", "nonsense"]]
)
def test_other_words_are_answered_by_the_right_ones(arguments: list[str]):
    outcome = end(start_program(["-m", "runtime", *arguments], ""))
    assert (outcome.code, outcome.output) == (2, "")
    assert "usage: python -m runtime host-claim|" in outcome.words


@pytest.mark.parametrize(
    ("request_text", "words"),
    [
        ("", "it is no JSON"),
        ('{"engine": null}', "it has no 'owner'"),
        (json.dumps({**as_json(LEFTOVERS), "engine": 7}), "engine is 7"),
        (json.dumps({**as_json(LEFTOVERS), "step": {"name": None}}), "step.name is None"),
    ],
)
def test_a_request_that_cannot_be_read_is_explained(request_text: str, words: str):
    outcome = end(start_program(["-m", "runtime", "leftovers", "converge"], request_text))
    assert (outcome.code, outcome.output) == (1, "")
    assert "error: the request on stdin cannot be read: " in outcome.words
    assert words in outcome.words


def test_what_another_version_says_beside_it_is_passed_over():
    later = json.dumps({**as_json(LEFTOVERS), "later": {"more": 1}})
    outcome = end(start_program(["-m", "runtime", "leftovers", "converge"], later))
    assert (outcome.code, outcome.result) == (0, {})
