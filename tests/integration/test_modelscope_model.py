"""A base model of ModelScope: fetched before anything trains, pinned, checked, once (T7, F8).

A server on this machine speaks ModelScope's protocol, and fails as hubs and networks do.
"""

import secrets
from collections.abc import Iterator

import pytest

from plan.host import HostFacts
from plan.owner import Owner
from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import load_settings
from tests.hub_server import TOKEN, Repository
from tests.integration.conftest import Engine
from tests.integration.hub_models import (
    BIG,
    FILES,
    MODEL,
    NEEDED,
    SMALL,
    Bench,
    Story,
    tiny_llama,
)
from tests.integration.stack import Stack
from tests.modelscope_server import ModelScopeServer

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(600)]

FETCH = "base-model-modelscope--org--tiny"
MIB = 1 << 20
TRAINED = ["stack-guide-sft", "stack-guide-merge", "stack-guide-gguf-conversion"]


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of the demo's settings whose images are built."""
    made = Stack(tmp_path_factory.mktemp("modelscope") / "home")
    made.settings["board"] = {"enabled": False}
    try:
        update = made.up(targets=["pipeline", "pipeline-host-check*", "pipeline-images*"])
        assert update.returncode == 0, update.output
        yield made
    finally:
        made.abandon()
        engine.remove_everything_of(made)


@pytest.fixture(scope="module")
def image(stack: Stack) -> str:
    """LLaMA-Factory's, as the stack has built it."""
    settings = load_settings(stack.home / "settings.yaml")
    plan = plan_pipeline(settings, owner=Owner(stack=stack.physical_name), facts=HostFacts())
    return plan.images.llamafactory.reference


@pytest.fixture
def bench(engine: Engine, image: str) -> Iterator[Bench]:
    hub = ModelScopeServer({MODEL: Repository()})
    hub.repositories[MODEL].push(FILES, hub.branch)
    volume = engine.client.volumes.create(f"fts-hub-{secrets.token_hex(4)}")
    try:
        with hub.running(engine.host_address):
            yield Bench(engine, image, hub, str(volume.name))
    finally:
        volume.remove(force=True)


class TestFetch:
    """The program in its image, against ModelScope as it is on its bad days."""

    @pytest.mark.capability("F8")
    def test_what_is_needed_is_fetched_once_over_a_cut_a_limit_and_wrong_bytes(
        self, bench: Bench
    ) -> None:
        hub = bench.hub
        hub.seconds_per_piece = 0.05
        hub.cuts[BIG] = 1
        hub.refusals["repo/files"] = [(429, {"Retry-After": "1"})]
        hub.wrong[SMALL] = 1
        first = bench.fetch()
        assert first.code == 0, first.words
        assert first.record is not None
        commit = hub.repositories[MODEL].branches["master"]
        assert (first.record["hub"], first.record["commit"]) == ("modelscope", commit)
        assert sorted(file["name"] for file in first.record["files"]) == sorted(NEEDED)
        assert f"wrong checksum: {SMALL}" in first.words
        assert hub.most_at_once > 1
        # What had come before the cut is not fetched again.
        come = len(FILES[BIG]) // 2 // MIB * MIB
        assert [seen.range for seen in hub.fetched(BIG)] == [None, f"bytes={come}-"]
        hub.heal()
        again = bench.fetch()
        assert again.code == 0, again.words
        assert hub.fetched() == []

    def test_a_commit_that_changes_one_file_is_that_file_to_fetch(self, bench: Bench) -> None:
        assert bench.fetch().code == 0
        bench.hub.heal()
        newer = secrets.token_bytes(1_000_000)
        bench.hub.repositories[MODEL].push({**FILES, SMALL: newer}, "master")
        done = bench.fetch()
        assert done.code == 0, done.words
        assert [seen.path.rpartition("/")[2] for seen in bench.hub.fetched()] == [SMALL]

    def test_wrong_bytes_are_never_taken(self, bench: Bench) -> None:
        bench.hub.wrong["modeling_tiny.py"] = 9
        done = bench.fetch()
        assert (done.code, done.record) == (1, None)
        assert "error: wrong checksum, twice, of modeling_tiny.py" in done.words
        assert "images.mirrors.modelscope" in done.words

    def test_a_gated_model_needs_a_token_that_may_read_it(self, bench: Bench) -> None:
        bench.hub.repositories[MODEL].gated = True
        refused = bench.fetch()
        assert refused.code == 1
        assert "error: 403 client error" in refused.words
        assert "pulumi config set --secret modelscope_token" in refused.words
        given = bench.fetch(MODELSCOPE_API_TOKEN=TOKEN)
        assert given.code == 0, given.words
        assert TOKEN not in given.words

    @pytest.mark.parametrize(
        ("refusal", "patience", "told"),
        [
            ((401, {}), 20, "error: 401 client error"),
            ((404, {}), 20, "error: repository not found"),
            ((429, {"Retry-After": "2"}), 3, "error: 429 too many requests"),
        ],
    )
    def test_what_no_waiting_helps_is_an_error(
        self, bench: Bench, refusal: tuple[int, dict[str, str]], patience: float, told: str
    ) -> None:
        bench.hub.refusals["repo/files"] = [refusal] * 50
        done = bench.fetch(patience=patience)
        assert done.code == 1
        assert told in done.words


@pytest.fixture(scope="module")
def story(stack: Stack, engine: Engine, image: str) -> Iterator[Story]:
    made = Story(stack, engine, tiny_llama(stack, engine, image), ModelScopeServer)
    made.open()
    try:
        yield made
    finally:
        made.close()


@pytest.mark.nightly
class TestStory:
    """One stack, in order."""

    @pytest.mark.capability("T7", "F8")
    def test_it_is_fetched_then_trained_and_answers(self, story: Story) -> None:
        preview = story.stack.preview()
        assert preview.returncode == 0, preview.stdout
        started = story.up()
        assert [name for name in started if name != "ollama-server"] == [FETCH, *TRAINED]
        assert story.answers()

    def test_a_second_up_starts_nothing_with_the_hub_or_without(self, story: Story) -> None:
        assert story.up() == []
        story.close()
        try:
            assert story.up() == []
        finally:
            story.open()

    def test_a_gated_model_is_refused_in_the_preview(self, story: Story) -> None:
        story.repository.push({**story.files, "note.txt": b"gated from now on"}, "gated")
        story.repository.gated = True
        story.stack.model["base_model"] = {"modelscope": MODEL, "revision": "gated"}
        try:
            preview = story.stack.preview()
        finally:
            story.repository.gated = False
            story.stack.model["base_model"] = {"modelscope": MODEL}
        assert preview.returncode != 0
        assert "models[0].base_model.modelscope is 'org/tiny'" in preview.stdout
        assert "pulumi config set --secret modelscope_token" in preview.stdout

    def test_a_branch_that_moved_is_fetched_and_trained(self, story: Story) -> None:
        story.repository.push({**story.files, "README.md": b"A newer one.\n"}, "master")
        started = story.up()
        assert [name for name in started if name != "ollama-server"] == [FETCH, *TRAINED]
        assert story.answers()
