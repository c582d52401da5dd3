"""What identities need to know of things whose name stays while they change."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from plan.host import HostQuestions, ModelFolder, ModelFolderFacts
from runtime.docker.engine import Engine
from runtime.host.contents import image_digests
from runtime.host.look import HostLook
from tests.runtime.conftest import IMAGE, Bench


@pytest.mark.engine
class TestImageDigests:
    def test_an_image_that_was_made_here_is_told_by_its_id(self, bench: Bench, engine: Engine):
        image = bench.client.images.get(IMAGE)
        told = image.attrs.get("RepoDigests") or [f"@{image.id}"]
        assert image_digests(engine, [IMAGE]) == {IMAGE: told[0].rpartition("@")[2]}

    def test_a_tag_that_moves_is_told_by_what_it_points_to(self, bench: Bench, engine: Engine):
        tag = f"{bench.stack}:moving"
        first = bench.client.images.get(IMAGE)
        assert first.tag(tag)
        lookout = bench.client.containers.create(IMAGE, "true", labels=bench.owner.labels)
        try:
            before = image_digests(engine, [tag])
            other = lookout.commit(repository=bench.stack, tag="moving")
            assert image_digests(engine, [tag]) == {tag: other.id}
            assert before[tag] != other.id
        finally:
            bench.client.images.remove(tag)

    def test_what_neither_engine_nor_registry_tells_is_left_out(self, bench: Bench, engine: Engine):
        nowhere = f"127.0.0.1:1/{bench.stack}:none"
        assert image_digests(engine, [nowhere, IMAGE]).keys() == {IMAGE}

    def test_a_digest_is_one_already(self, engine: Engine):
        digest = f"sha256:{'0' * 64}"
        pinned = f"127.0.0.1:1/nowhere@{digest}"
        assert image_digests(engine, [pinned]) == {pinned: digest}

    def test_one_that_nobody_tells_is_a_problem(
        self, bench: Bench, look: HostLook, questions: HostQuestions
    ):
        nowhere = f"127.0.0.1:1/{bench.stack}:none"
        (problem,) = look.findings(replace(questions, pulled_images=(nowhere, IMAGE))).problems
        assert (problem.key, problem.value) == ("images", repr(nowhere))


CONFIG = (
    '{"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, '
    '"num_attention_heads": 4, "vocab_size": 300}'
)
INDEX = '{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}'


@pytest.mark.engine
class TestModelFolders:
    @pytest.fixture(params=["volume", "directory"])
    def source(self, request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> str:
        """A model of two weight files, in a volume or in a directory of the host."""
        place = bench.make_volume("models") if request.param == "volume" else str(tmp_path)
        self.shell(
            bench,
            place,
            f"mkdir tiny; cd tiny; echo '{CONFIG}' > config.json; echo '{INDEX}' > "
            "model.safetensors.index.json; for n in 1 2; do "
            "echo weights > model-$n-of-2.safetensors; done",
        )
        return place

    @staticmethod
    def shell(bench: Bench, source: str, script: str) -> None:
        bench.shell(f"cd /models; {script}", volume=source, target="/models")

    @staticmethod
    def facts(
        bench: Bench, questions: HostQuestions, source: str, path: str = "/models/tiny"
    ) -> ModelFolderFacts | None:
        folder = ModelFolder(source=source, mounted_at="/models", path=path)
        with closing(HostLook(None, bench.owner, asks=True)) as look:
            findings = look.findings(replace(questions, model_folders=(folder,)))
        assert bench.containers() == []
        return findings.facts.model_folders.get(path)

    @classmethod
    def digest(
        cls, bench: Bench, questions: HostQuestions, source: str, path: str = "/models/tiny"
    ) -> str | None:
        told = cls.facts(bench, questions, source, path)
        return told.digest if told else None

    def test_its_configuration_tells_its_shape(
        self, bench: Bench, questions: HostQuestions, source: str
    ):
        told = self.facts(bench, questions, source)
        assert told is not None
        assert told.shape is not None
        assert (told.shape.layers, told.shape.weight_bytes) == (3, 2)

    def test_it_stays_while_nothing_changes(
        self, bench: Bench, questions: HostQuestions, source: str
    ):
        before = self.digest(bench, questions, source)
        assert before
        # Notes beside a model are no part of it.
        self.shell(bench, source, "echo note > tiny/README.md")
        assert self.digest(bench, questions, source) == before

    @pytest.mark.parametrize(
        "change",
        [
            "echo 'other weights' > model-2-of-2.safetensors",
            "touch -d 2001-01-01 model-1-of-2.safetensors",
            "rm model-2-of-2.safetensors",
            "echo new > tokenizer.model",
            "touch -d 2001-01-01 config.json",
        ],
    )
    def test_it_changes_with_the_model(
        self, bench: Bench, questions: HostQuestions, source: str, change: str
    ):
        before = self.digest(bench, questions, source)
        self.shell(bench, source, f"cd tiny; {change}")
        after = self.digest(bench, questions, source)
        assert after
        assert after != before

    def test_a_model_that_is_not_there_is_left_out(
        self, bench: Bench, questions: HostQuestions, source: str, tmp_path: Path
    ):
        assert self.digest(bench, questions, source, "/models/none") is None
        assert self.digest(bench, questions, f"{bench.stack}-none") is None
        assert self.digest(bench, questions, str(tmp_path / "gone")) is None
