"""Markers on the engine: written where they do not say so already, read whatever their state."""

import pytest

from plan.marker import ArtefactMarker, read_artefact_marker, read_served_marker
from plan.paths import OUTPUT
from runtime.docker import archive, containers
from runtime.docker.engine import Engine
from runtime.docker.marker_files import write_marker
from tests.runtime.conftest import IMAGE, Bench

MARKER = ArtefactMarker(identity="f1", step="sft", stack="demo", token="t1")
PATH = str(OUTPUT / "runs/f1/complete.json")


@pytest.mark.engine
def test_a_marker_is_written_once(bench: Bench, engine: Engine):
    bench.make_volume()
    given = bench.owner.labels
    with containers.volume_access(
        engine, f"{bench.stack}-access", bench.mount(), image=IMAGE, given=given
    ) as container:
        for _ in range(2):
            write_marker(engine, container, root=str(OUTPUT), path=PATH, marker=MARKER)
            assert read_artefact_marker(archive.read_file(engine, container, PATH)) == MARKER
            written = archive.stat_of(engine, container, PATH)
            bench.shell(f"touch -d 2001-01-01 {PATH}")
        again = archive.stat_of(engine, container, PATH)
    assert written is not None
    assert again is not None
    assert again["mtime"].startswith("2001-01-01")
    assert written["mtime"].startswith("2001-01-01"), "what says so already is left alone"
    assert bench.containers() == []


class TestReading:
    @pytest.mark.parametrize(
        "content", [None, b"", b"{", b"[]", b"7", b'"identity"', b"null", b"{}", b"\xff"]
    )
    def test_what_is_no_marker_vouches_for_nothing(self, content: bytes | None):
        assert read_artefact_marker(content) is None
        assert read_served_marker(content) is None

    def test_a_served_model_of_the_version_before_says_fingerprint(self):
        served = read_served_marker(
            b'{"fingerprint": "f1", "step": "s", "model": "guide:latest", "manifest": "/m", '
            b'"manifest_digest": "d", "token": "t1", "answers": [{"prompt": "p", "answer": "a"}]}'
        )
        assert served is not None
        assert (served.identity, served.stack) == ("f1", "")
        assert served.answers == ({"prompt": "p", "answer": "a"},)
