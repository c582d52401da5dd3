"""What the hub says of a model before anything is fetched, and what counts while it is silent."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from plan.host import HostQuestions, HubModel, HubModelFacts
from plan.identity import identity
from plan.paths import HF_CACHE
from runtime.docker.engine import Engine
from runtime.host import hub_answer
from runtime.host.hub import HubFindings, ask_hubs
from runtime.host.snapshot import take_snapshot
from tests.hub_server import TOKEN, HubServer, Repository
from tests.runtime.conftest import Bench

pytestmark = pytest.mark.engine

NOWHERE = "http://127.0.0.1:1"
TINY = HubModel(id="meta/tiny", revision="main")
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": bytes(4_000_000),
    "pytorch_model.bin": bytes(4_000_000),
}


@pytest.fixture
def server() -> Iterator[HubServer]:
    made = HubServer({TINY.id: Repository()})
    made.repositories[TINY.id].push(FILES)
    with made.running():
        yield made


@pytest.fixture
def asked(questions: HostQuestions, server: HubServer) -> HostQuestions:
    """The questions, to the hub of the test."""
    return replace(questions, hubs={"huggingface": server.address})


def told(
    engine: Engine, questions: HostQuestions, *models: HubModel, token: str | None = None
) -> HubFindings:
    asked = replace(questions, hub_models=models or (TINY,))
    return ask_hubs(engine, take_snapshot(engine), asked, {"huggingface": token})


class TestAnswers:
    def test_a_branch_is_told_by_the_commit_that_it_points_to(
        self, engine: Engine, asked: HostQuestions, server: HubServer
    ) -> None:
        other = server.repositories[TINY.id].push({"config.json": b"{}"}, "refs/pr/1")
        proposed = replace(TINY, revision="refs/pr/1")
        assert told(engine, asked, TINY, proposed).commits == {
            TINY.key: server.repositories[TINY.id].branches["main"],
            proposed.key: other,
        }

    def test_the_size_is_that_of_the_files_that_are_needed(
        self, engine: Engine, asked: HostQuestions
    ) -> None:
        (found,) = told(engine, asked).models.values()
        assert found == HubModelFacts(size_gb=0.004)

    @pytest.mark.parametrize(
        ("config", "method"),
        [
            ({"quantization_config": {"quant_method": "GPTQ", "bits": 4}}, "gptq"),
            ({"quantization_config": {"load_in_4bit": True}}, "bitsandbytes"),
            ({"quantization_config": None}, None),
        ],
    )
    def test_quantized_weights_are_told_by_their_method(
        self,
        engine: Engine,
        asked: HostQuestions,
        server: HubServer,
        config: dict[str, object],
        method: str | None,
    ) -> None:
        server.repositories[TINY.id].push({"config.json": json.dumps(config).encode()})
        assert told(engine, asked).models[TINY.key].quantization == method

    def test_its_configuration_tells_its_shape(
        self, engine: Engine, asked: HostQuestions, server: HubServer
    ) -> None:
        config = {
            "model_type": "qwen2",
            "hidden_size": 896,
            "intermediate_size": 4864,
            "num_hidden_layers": 24,
            "num_attention_heads": 14,
            "num_key_value_heads": 2,
            "vocab_size": 151936,
            "tie_word_embeddings": True,
        }
        server.repositories[TINY.id].push({"config.json": json.dumps(config).encode()})
        shape = told(engine, asked).models[TINY.key].shape
        assert shape is not None
        assert (shape.layers, shape.head_size, shape.is_tied) == (24, 64, True)

    def test_a_gated_model_is_refused_to_those_without_the_token(
        self, engine: Engine, asked: HostQuestions, server: HubServer
    ) -> None:
        server.repositories[TINY.id].gated = True
        refused = told(engine, asked)
        assert refused.models[TINY.key].refusal == "gated"
        assert refused.commits
        assert told(engine, asked, token=TOKEN).models[TINY.key].refusal is None

    def test_what_the_hub_does_not_know(self, engine: Engine, asked: HostQuestions) -> None:
        gone = HubModel(id="meta/gone", revision="main")
        no_branch = replace(TINY, revision="v9")
        found = told(engine, asked, gone, no_branch)
        assert found.models[gone.key].refusal == "unknown"
        assert found.models[no_branch.key].refusal == "no_revision"
        assert found.commits == {}

    @pytest.mark.parametrize("status", [403, 404, 429, 503])
    def test_a_refusal_without_the_hubs_own_word_is_silence(
        self, engine: Engine, asked: HostQuestions, server: HubServer, status: int
    ) -> None:
        server.refusals["revision/main"] = [(status, {})]
        assert told(engine, asked) == HubFindings(commits={}, models={})

    def test_a_proxy_is_the_way_to_the_hub(
        self, engine: Engine, questions: HostQuestions, server: HubServer
    ) -> None:
        asked = replace(
            questions, hubs={"huggingface": "http://hub.invalid"}, hub_proxy=server.address
        )
        assert told(engine, asked).commits.keys() == {TINY.key}


class TestSilence:
    def test_a_commit_is_one_already(self, engine: Engine, questions: HostQuestions) -> None:
        pinned = replace(TINY, revision="0123456789" * 4)
        found = told(engine, replace(questions, hubs={"huggingface": NOWHERE}), pinned)
        assert found == HubFindings(commits={pinned.key: pinned.revision}, models={})

    def test_one_that_hangs_is_given_up(
        self,
        engine: Engine,
        asked: HostQuestions,
        server: HubServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(hub_answer, "HUB_SECONDS", 0.2)
        server.silent_seconds = 1
        assert told(engine, asked).commits == {}

    def test_an_older_cache_tells_the_newest_commit(
        self, bench: Bench, engine: Engine, questions: HostQuestions
    ) -> None:
        cache = f"{bench.stack}-hf-cache"
        asked = replace(questions, hubs={"huggingface": NOWHERE}, hub_cache=cache)
        assert told(engine, asked).commits == {}
        bench.make_volume("hf-cache")
        assert told(engine, asked).commits == {}
        bench.shell(
            f"mkdir -p {HF_CACHE}/hub/models--meta--tiny/snapshots; "
            f"cd {HF_CACHE}/hub/models--meta--tiny/snapshots; mkdir newer older; "
            "echo '{}' > older/config.json; touch -d 2001-01-01 older",
            volume=cache,
            target=str(HF_CACHE),
        )
        other = HubModel(id="meta/other", revision="main")
        assert told(engine, asked, TINY, other).commits == {TINY.key: "newer"}
        assert bench.containers() == []

    @pytest.mark.parametrize(
        ("revision", "commit"), [("main", "second"), ("v2", "third"), ("v9", "third")]
    )
    def test_what_was_fetched_last_of_a_revision_counts(
        self, bench: Bench, engine: Engine, questions: HostQuestions, revision: str, commit: str
    ) -> None:
        cache = bench.make_volume("hf-cache")
        records = [("main", "first", 1), ("main", "second", 2), ("v2", "third", 3)]
        # One that was cut off in the middle, and whose files may not all be there.
        records.append(("main", "fourth.partial", 4))
        lines = ["set -e"]
        for asked_revision, name, moment in records:
            record = {
                "repo": TINY.id,
                "revision": asked_revision,
                "asked": name.removesuffix(".partial"),
                "fetched_at": moment,
            }
            suffix = ".partial" if name.endswith(".partial") else ""
            folder = f"{HF_CACHE}/runs/{identity(name)}{suffix}"
            lines += [f"mkdir -p {folder}", f"echo '{json.dumps(record)}' > {folder}/fetched.json"]
        bench.shell("; ".join(lines), volume=cache, target=str(HF_CACHE))
        model = replace(TINY, revision=revision)
        found = told(
            engine, replace(questions, hubs={"huggingface": NOWHERE}, hub_cache=cache), model
        )
        assert found.commits == {model.key: commit}


def test_whether_some_of_it_is_there_counts_where_there_is_little_room(
    bench: Bench, engine: Engine, asked: HostQuestions
) -> None:
    cache = bench.make_volume("hf-cache")
    with_cache = replace(asked, hub_models=(TINY,), hub_cache=cache)
    full = replace(take_snapshot(engine), disk_free=1000)
    assert not ask_hubs(engine, full, with_cache, {}).models[TINY.key].is_begun
    bench.shell(f"mkdir -p {HF_CACHE}/hub/models--meta--tiny", volume=cache, target=str(HF_CACHE))
    assert ask_hubs(engine, full, with_cache, {}).models[TINY.key].is_begun
