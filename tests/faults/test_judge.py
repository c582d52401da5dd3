"""The judge finds what is broken: without that, a table of healed faults would say nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import pytest

from faults import judge as judging
from faults.judge import Artefact, judge
from tests.integration.stack import Stack, Update

WHOLE = {
    "aa": Artefact("stack-merge", {"model.safetensors": 800}),
    "bb": Artefact("stack-gguf-conversion", {"model.gguf": 500}),
}
KEPT = "guide:kept-0000000000000000"
NEW = {"cc": Artefact("stack-merge", {"model.safetensors": 800})}


@dataclass
class Converged:
    """A stack as the judge sees it."""

    update: Update = field(default_factory=lambda: Update(0, "", {"same": 20}, 2.0))

    def up(self) -> Update:
        return self.update

    def outputs(self) -> Mapping[str, Any]:
        kept = {"identity": "0" * 16, "model": KEPT}
        return {"ollama_url": "http://127.0.0.1:1", "kept_models": {"guide": [kept]}}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The models of a server that answers for each of them."""
    names = {"guide:latest", KEPT}

    def ask(_url: str, model: str) -> None:
        if model not in names:
            raise httpx.HTTPError("404 Not Found")

    monkeypatch.setattr(judging, "ask", ask)
    monkeypatch.setattr(judging, "models", lambda _url: names)
    return names


def complaints(after: Mapping[str, Artefact], **stack: Any) -> list[str]:
    converged = cast(Stack, Converged(**stack))
    return list(judge(converged, "guide:latest", whole=WHOLE, after=after))


@pytest.mark.usefixtures("store")
def test_a_healed_stack_is_told_nothing_of():
    assert complaints({**WHOLE, **NEW}) == []


@pytest.mark.usefixtures("store")
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


@pytest.mark.usefixtures("store")
def test_an_up_that_has_work_left_has_healed_nothing():
    (said,) = complaints(WHOLE, update=Update(0, "", {"same": 19, "update": 1}, 2.0))
    assert said == "a second up had something to do: {'update': 1}"


@pytest.mark.usefixtures("store")
def test_an_up_that_fails_has_healed_nothing():
    (said,) = complaints(WHOLE, update=Update(1, "error: no room", {}, 2.0))
    assert said == "a second up failed: error: no room"


def test_a_model_that_is_served_no_more_is_told(store: set[str]):
    store.remove("guide:latest")
    (said,) = complaints(WHOLE)
    assert said == "guide:latest does not answer: 404 Not Found"


def test_a_candidate_that_was_left_is_told(store: set[str]):
    store.add("finetune-stack/test:abc")
    (said,) = complaints(WHOLE)
    assert said == "model finetune-stack/test:abc was left over"


def test_a_kept_model_that_is_gone_is_told(store: set[str]):
    store.remove(KEPT)
    (said,) = complaints(WHOLE)
    assert said == f"model {KEPT} is lost"


def test_a_server_that_is_gone_is_told():
    (said,) = judge(cast(Stack, Converged()), "guide:latest", whole=WHOLE, after=WHOLE)
    assert said.startswith("guide:latest does not answer: ")
