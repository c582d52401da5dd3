"""Images that came in a bundle are known by what the engine has of them (O6)."""

from contextlib import closing
from pathlib import Path

import pytest

from plan.carried_images import FILE, CarriedImages
from plan.codec import encode
from plan.host import HostQuestions
from runtime.docker.engine import Engine
from runtime.host.carried_images import carried_images
from runtime.host.look import HostLook
from tests.runtime.conftest import IMAGE, Bench


@pytest.mark.engine
class TestCarriedImages:
    def test_only_the_very_image_counts(self, bench: Bench, engine: Engine, tmp_path: Path) -> None:
        there = bench.client.images.get(IMAGE).id
        gone = f"{bench.stack}:gone"
        record = CarriedImages(
            references={"there": IMAGE, "gone": gone}, ids={IMAGE: str(there), gone: str(there)}
        )
        (tmp_path / FILE).write_text(encode(record))
        assert carried_images(engine, tmp_path) == {"there": IMAGE}
        other = CarriedImages(references={"there": IMAGE}, ids={IMAGE: "sha256:another"})
        (tmp_path / FILE).write_text(encode(other))
        assert carried_images(engine, tmp_path) == {}

    def test_a_project_that_came_in_no_bundle_has_none(
        self, bench: Bench, engine: Engine, questions: HostQuestions, tmp_path: Path
    ) -> None:
        assert carried_images(engine, tmp_path) == {}
        with closing(HostLook(None, bench.owner, asks=True)) as look:
            assert look.findings(questions).facts.carried_images == {}
