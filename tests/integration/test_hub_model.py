"""A base model of the hub: fetched before anything trains, pinned, checked, once (T7, F8).

A server on this machine speaks the hub's protocol. First the program that fetches, against all that
a hub and a network do; then one story on one stack, in order. Takes some minutes.
"""

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from plan.host import HostFacts
from plan.owner import Owner
from plan.paths import HF_CACHE
from planning.pipeline import plan_pipeline
from stack_configs.settings.loader import load_settings
from tests.hub_server import TOKEN, HubServer, Repository
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

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(1200)]

FETCH = "base-model-org--tiny"
CHUNK = 10 * 1024 * 1024
"""What huggingface_hub keeps of an answer at a time: less than that is fetched anew after a cut."""


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of the demo's settings whose images are built."""
    made = Stack(tmp_path_factory.mktemp("hub") / "home")
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


@pytest.fixture(scope="module")
def repository() -> Repository:
    made = Repository()
    made.push(FILES)
    return made


@pytest.fixture
def bench(engine: Engine, image: str, repository: Repository) -> Iterator[Bench]:
    hub = HubServer({MODEL: repository})
    repository.gated = False
    volume = engine.client.volumes.create(f"fts-hub-{secrets.token_hex(4)}")
    try:
        with hub.running(engine.host_address):
            yield Bench(engine, image, hub, str(volume.name))
    finally:
        volume.remove(force=True)


class TestFetch:
    """The program in its image, against a hub as it is on its bad days."""

    @pytest.mark.capability("T7")
    def test_what_is_needed_is_fetched_once_and_several_files_at_a_time(self, bench: Bench) -> None:
        bench.hub.seconds_per_piece = 0.05
        first = bench.fetch()
        assert first.code == 0, first.words
        assert first.record is not None
        assert sorted(file["name"] for file in first.record["files"]) == sorted(NEEDED)
        assert first.record["total_bytes"] == sum(len(FILES[name]) for name in NEEDED)
        assert bench.hub.most_at_once > 1
        bench.hub.heal()
        again = bench.fetch()
        assert again.code == 0, again.words
        assert bench.hub.fetched() == []

    def test_a_cut_is_taken_up_where_it_was(self, bench: Bench) -> None:
        bench.hub.cuts[BIG] = 1
        done = bench.fetch()
        assert done.code == 0, done.words
        assert [seen.range for seen in bench.hub.fetched(BIG)] == [None, f"bytes={CHUNK}-"]

    def test_a_container_that_was_killed_leaves_whole_files_to_the_next(self, bench: Bench) -> None:
        bench.hub.pauses[BIG] = 60
        commit = bench.hub.repositories[MODEL].branches["main"]
        patient = {"HF_HUB_DOWNLOAD_TIMEOUT": "90"}
        container = bench.create(asked=commit, patience=90, environment=patient)
        try:
            container.start()
            deadline = time.monotonic() + 50
            while _links(bench, commit) < len(NEEDED) - 1:
                assert time.monotonic() < deadline, container.logs()
            container.kill()
        finally:
            container.remove(force=True)
        bench.hub.heal()
        done = bench.fetch()
        assert done.code == 0, done.words
        assert {seen.path.rpartition("/")[2] for seen in bench.hub.fetched()} == {BIG}

    def test_silence_in_the_middle_is_given_up_and_tried_again(self, bench: Bench) -> None:
        bench.hub.pauses[BIG] = 6
        done = bench.fetch()
        assert done.code == 0, done.words
        assert len(bench.hub.fetched(BIG)) == 2

    @pytest.mark.parametrize("what", [SMALL, "revision/{commit}"])
    def test_a_rate_limit_is_waited_for(self, bench: Bench, what: str) -> None:
        commit = bench.hub.repositories[MODEL].branches["main"]
        limit = [(429, {"Retry-After": "1"}), (429, {"Retry-After": "1"})]
        bench.hub.refusals[what.format(commit=commit)] = limit
        done = bench.fetch()
        assert done.code == 0, done.words

    def test_a_server_that_is_down_for_a_while(self, bench: Bench) -> None:
        bench.hub.refusals[SMALL] = [(503, {}), (502, {})]
        done = bench.fetch()
        assert done.code == 0, done.words

    def test_a_file_that_came_wrong_is_fetched_again(self, bench: Bench) -> None:
        bench.hub.wrong[BIG] = 1
        done = bench.fetch()
        assert done.code == 0, done.words
        assert f"wrong checksum: {BIG}" in done.words
        assert len(bench.hub.fetched(BIG)) == 2

    @pytest.mark.parametrize("name", [SMALL, "modeling_tiny.py"])
    def test_wrong_bytes_are_never_taken(self, bench: Bench, name: str) -> None:
        bench.hub.wrong[name] = 9
        done = bench.fetch()
        assert (done.code, done.record) == (1, None)
        assert f"error: wrong checksum, twice, of {name}" in done.words
        # Nothing of it is left for another run to believe in.
        bench.hub.heal()
        assert bench.fetch().code == 0
        assert [seen.path.rpartition("/")[2] for seen in bench.hub.fetched()] == [name]

    def test_a_gated_model_needs_a_token_that_may_read_it(self, bench: Bench) -> None:
        bench.hub.repositories[MODEL].gated = True
        refused = bench.fetch()
        assert refused.code == 1
        assert "error: gated repo" in refused.words
        assert "pulumi config set --secret hub_token" in refused.words
        given = bench.fetch(HF_TOKEN=TOKEN)
        assert given.code == 0, given.words
        assert TOKEN not in given.words

    @pytest.mark.parametrize(
        ("refusal", "told"),
        [
            ((403, {}), "error: 403 client error"),
            ((401, {"X-Error-Code": "RepoNotFound"}), "error: repository not found"),
            ((404, {"X-Error-Code": "RevisionNotFound"}), "error: repository not found"),
        ],
    )
    def test_what_no_waiting_helps_is_an_error_at_once(
        self, bench: Bench, refusal: tuple[int, dict[str, str]], told: str
    ) -> None:
        commit = bench.hub.repositories[MODEL].branches["main"]
        bench.hub.refusals[f"revision/{commit}"] = [refusal] * 3
        done = bench.fetch()
        assert done.code == 1
        assert told in done.words
        assert len(bench.hub.seen) == 1

    def test_a_limit_that_does_not_end_is_told(self, bench: Bench) -> None:
        commit = bench.hub.repositories[MODEL].branches["main"]
        bench.hub.refusals[f"revision/{commit}"] = [(429, {"Retry-After": "2"})] * 50
        done = bench.fetch(patience=3)
        assert done.code == 1
        assert "error: 429 too many requests" in done.words

    def test_a_hub_that_is_out_of_reach_is_told(self, bench: Bench) -> None:
        done = bench.fetch(patience=3, HF_ENDPOINT="http://127.0.0.1:1")
        assert done.code == 1
        assert "error: couldn't connect to http://127.0.0.1:1" in done.words

    @pytest.mark.capability("F8")
    def test_a_proxy_is_the_way_to_the_hub(self, bench: Bench) -> None:
        hub = "http://hub.invalid"
        done = bench.fetch(HF_ENDPOINT=hub, HTTP_PROXY=bench.hub.address)
        assert done.code == 0, done.words

    def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
        self, bench: Bench
    ) -> None:
        # The record's own folder is as small as the cache's is made here.
        client = bench.engine.client
        small = client.volumes.create(
            f"fts-hub-{secrets.token_hex(4)}",
            driver_opts={"type": "tmpfs", "device": "tmpfs", "o": "size=8m"},
        )
        bench.cache, large = str(small.name), bench.cache
        try:
            done = bench.fetch()
        finally:
            bench.cache = large
            small.remove(force=True)
        assert done.code == 1
        assert "error: no space left on device" in done.words
        assert bench.hub.fetched() == []


def _links(bench: Bench, commit: str) -> int:
    """Files of the commit that are complete in the cache."""
    folder = f"{HF_CACHE}/hub/models--{MODEL.replace('/', '--')}/snapshots/{commit}"
    found = bench.engine.client.containers.run(
        bench.image,
        ["sh", "-c", f"ls {folder} 2>/dev/null | wc -l"],
        volumes={bench.cache: {"bind": str(HF_CACHE), "mode": "ro"}},
        network_mode="none",
        remove=True,
    )
    return int(found)


@pytest.fixture(scope="module")
def story(stack: Stack, engine: Engine, image: str) -> Iterator[Story]:
    made = Story(stack, engine, tiny_llama(stack, engine, image))
    made.open()
    try:
        yield made
    finally:
        made.close()


TRAINED = ["stack-guide-sft", "stack-guide-merge", "stack-guide-gguf-conversion"]


class TestStory:
    @pytest.mark.capability("T7", "F8")
    def test_it_is_fetched_then_trained_and_answers(self, story: Story) -> None:
        started = story.up()
        assert [name for name in started if name != "ollama-server"] == [FETCH, *TRAINED]
        assert story.answers()

    def test_only_what_fetches_has_a_network_and_may_have_the_token(self, story: Story) -> None:
        requests = story.requests()
        for name in (FETCH, *TRAINED):
            step = json.loads(requests[f"{name}-command"]["stdin"])["step"]
            is_fetch = name == FETCH
            assert (step["container"]["network"] != "none") == is_fetch, name
            assert (step["secret_environment"] == ["HF_TOKEN"]) == is_fetch, name

    def test_a_second_up_starts_nothing(self, story: Story) -> None:
        assert story.up() == []

    def test_a_hub_that_is_gone_trains_nothing_anew(self, story: Story) -> None:
        story.close()
        try:
            assert story.up() == []
        finally:
            story.open()

    def test_a_cache_that_was_lost_is_filled_again_and_nothing_trained(self, story: Story) -> None:
        volume = f"{story.stack.physical_name}-hf-cache"
        story.engine.client.containers.run(
            "debian:trixie-slim",
            ["sh", "-c", f"rm -rf {HF_CACHE}/hub {HF_CACHE}/runs"],
            volumes={volume: {"bind": str(HF_CACHE), "mode": "rw"}},
            network_mode="none",
            remove=True,
        )
        assert story.up() == [FETCH]

    def test_a_gated_model_is_refused_in_the_preview(self, story: Story) -> None:
        story.repository.push({**story.files, "note.txt": b"gated from now on"}, "gated")
        story.repository.gated = True
        story.stack.model["base_model"] = {"hub": MODEL, "revision": "gated"}
        try:
            preview = story.stack.preview()
        finally:
            story.repository.gated = False
            story.stack.model["base_model"] = {"hub": MODEL}
        assert preview.returncode != 0
        assert "models[0].base_model.hub is 'org/tiny'" in preview.stdout
        assert "pulumi config set --secret hub_token" in preview.stdout

    def test_a_branch_that_moved_is_fetched_and_trained(self, story: Story) -> None:
        story.repository.push({**story.files, "README.md": b"A newer one.\n"})
        started = story.up()
        assert [name for name in started if name != "ollama-server"] == [FETCH, *TRAINED]
        assert story.answers()

    @pytest.mark.nightly
    def test_a_file_that_was_damaged_in_the_cache_is_fetched_again_before_it_is_trained_on(
        self, story: Story, image: str
    ) -> None:
        flip = (
            "import glob; (path,) = glob.glob('/root/.cache/huggingface/hub/*/snapshots/*/"
            "model.safetensors')[:1]; file = open(path, 'r+b'); file.seek(-1, 2); "
            "byte = file.read(1)[0]; file.seek(-1, 2); file.write(bytes([byte ^ 1]))"
        )
        story.engine.client.containers.run(
            image,
            ["python", "-c", flip],
            volumes=[f"{story.stack.physical_name}-hf-cache:{HF_CACHE}"],
            network_mode="none",
            remove=True,
        )
        story.stack.run["learning_rate"] = 0.0031
        story.hub.seen.clear()
        assert story.up() == [FETCH, *TRAINED]
        fetched = {PurePosixPath(each.path).name for each in story.hub.fetched()}
        # The look at the hub reads the configuration.
        assert fetched - {"config.json"} == {"model.safetensors"}
        assert story.answers()
