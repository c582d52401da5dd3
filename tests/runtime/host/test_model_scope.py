"""What ModelScope says of a model before anything is fetched (F8)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plan.host import HubModel, HubModelFacts
from runtime.host.hub_answer import Answer
from runtime.host.model_scope import ask_model_scope, commit_of
from tests.hub_server import TOKEN, Repository
from tests.images.conftest import load_program
from tests.modelscope_server import ModelScopeServer

PROGRAM = load_program(Path(__file__).parents[3] / "in_container/model_scope.py")
TINY = HubModel(id="qwen/tiny", revision="master", hub="modelscope")
FILES = {
    "config.json": b'{"quantization_config": {"quant_method": "awq"}}',
    "model.safetensors": bytes(4_000_000),
    "pytorch_model.bin": bytes(4_000_000),
}


@pytest.fixture
def server() -> Iterator[ModelScopeServer]:
    made = ModelScopeServer({TINY.id: Repository()})
    made.repositories[TINY.id].push(FILES, "master")
    with made.running():
        yield made


def told(server: ModelScopeServer, model: HubModel = TINY, *, token: str | None = None) -> Answer:
    return ask_model_scope(model, address=server.address, proxy=None, token=token)


def test_a_branch_is_told_by_its_commit_and_the_model_by_what_is_needed_of_it(
    server: ModelScopeServer,
) -> None:
    answer = told(server)
    assert answer.commit == server.repositories[TINY.id].branches["master"]
    assert answer.facts == HubModelFacts(size_gb=0.004, quantization="awq")


def test_a_gated_model_is_refused_to_those_without_the_token(server: ModelScopeServer) -> None:
    server.repositories[TINY.id].gated = True
    refused = told(server)
    assert refused.facts is not None
    assert (refused.facts.refusal, refused.facts.size_gb) == ("gated", 0.004)
    given = told(server, token=TOKEN)
    assert given.facts is not None
    assert given.facts.refusal is None


@pytest.mark.parametrize(
    ("model", "refusal"),
    [
        (HubModel(id="qwen/gone", revision="master", hub="modelscope"), "unknown"),
        (HubModel(id=TINY.id, revision="v9", hub="modelscope"), "no_revision"),
    ],
)
def test_what_it_does_not_know(server: ModelScopeServer, model: HubModel, refusal: Any) -> None:
    assert told(server, model) == Answer(facts=HubModelFacts(refusal=refusal))


@pytest.mark.parametrize("status", [403, 404, 429, 503])
def test_a_refusal_that_is_not_its_own_is_silence(server: ModelScopeServer, status: int) -> None:
    server.refusals["repo/files"] = [(status, {})]
    assert told(server) == Answer()


def test_a_commit_is_one_already(server: ModelScopeServer) -> None:
    pinned = HubModel(id=TINY.id, revision="0123456789" * 4, hub="modelscope")
    nowhere = ask_model_scope(pinned, address="http://127.0.0.1:1", proxy=None, token=None)
    assert nowhere == Answer(commit=pinned.revision)


@pytest.mark.parametrize(
    ("listing", "commit"),
    [
        (
            {
                "LatestCommitter": {"Id": "", "ShortId": "2e50b77b"},
                "Files": [{"Revision": "cbee0850" + "a" * 32}, {"Revision": "2e50b77b" + "b" * 32}],
            },
            "2e50b77b" + "b" * 32,
        ),
        # The last commit took a file away, and is that of no other.
        ({"LatestCommitter": {"ShortId": "0badcafe"}, "Files": [{"Revision": "c" * 40}]}, None),
        ({"Files": [{"Revision": "c" * 40}]}, None),
    ],
)
def test_the_commit_of_a_listing_is_read_alike_by_the_look_and_the_fetch(
    listing: dict[str, Any], commit: str | None
) -> None:
    assert commit_of(listing) == commit
    assert PROGRAM.commit_of(json.loads(json.dumps(listing))) == commit
