"""The judge finds what is broken: without that, a table of healed faults would say nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from faults.judge import Artefact, judge
from tests.integration.stack import Stack, Update

WHOLE = {
    "aa": Artefact("stack-merge", {"model.safetensors": 800}),
    "bb": Artefact("stack-gguf-conversion", {"model.gguf": 500}),
}
NEW = {"cc": Artefact("stack-merge", {"model.safetensors": 800})}


@dataclass
class Converged:
    """A stack as the judge sees it."""

    update: Update = field(default_factory=lambda: Update(0, "", {"same": 20}, 2.0))
    served: str = "guide:latest"

    def up(self) -> Update:
        return self.update

    def outputs(self) -> Mapping[str, Any]:
        return {"models": {"guide": self.served}}


def complaints(after: Mapping[str, Artefact], **stack: Any) -> list[str]:
    converged = cast(Stack, Converged(**stack))
    return list(judge(converged, "guide:latest", whole=WHOLE, after=after))


def test_a_healed_stack_is_told_nothing_of():
    assert complaints({**WHOLE, **NEW}) == []


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({"aa": WHOLE["aa"]}, "bb is lost"),
        ({**WHOLE, "cc": Artefact("")}, "cc is half-written"),
        ({**WHOLE, "cc.partial": NEW["cc"]}, "cc.partial is half-written"),
        (
            {**WHOLE, "cc": Artefact("stack-merge", {"model.safetensors": 799})},
            "cc says that it is whole, and is not: {'model.safetensors': 799}",
        ),
        (
            {**WHOLE, "cc": Artefact("stack-merge")},
            "cc says that it is whole, and is not: {}",
        ),
    ],
)
def test_each_damage_is_told(after: Mapping[str, Artefact], said: str):
    assert complaints(after) == [said]


def test_an_up_that_has_work_left_has_healed_nothing():
    (said,) = complaints(WHOLE, update=Update(0, "", {"same": 19, "update": 1}, 2.0))
    assert said == "a second up had something to do: {'update': 1}"


def test_an_up_that_fails_has_healed_nothing():
    (said,) = complaints(WHOLE, update=Update(1, "error: no room", {}, 2.0))
    assert said == "a second up failed: error: no room"


def test_a_model_that_is_served_no_more_is_told():
    (said,) = complaints(WHOLE, served="other:latest")
    assert said == "guide:latest is not among what is served"
