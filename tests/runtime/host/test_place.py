"""Volumes and directories are looked into with nothing started and nothing left behind."""

from pathlib import Path

import docker
import pytest

from plan.container import Mount
from runtime.docker import archive, containers
from runtime.docker.engine import Engine
from runtime.host.place import look_into
from tests.runtime.conftest import Bench

pytestmark = pytest.mark.engine


def test_a_place_is_never_started_and_goes_with_its_image(bench: Bench, engine: Engine):
    bench.make_volume()
    bench.shell("echo seen > /app/output/file")
    mount = Mount(source=bench.volume, target="/somewhere", read_only=True)
    with look_into(engine, bench.owner, {mount}) as place:
        assert place is not None
        assert archive.read_file(engine, place.container, "/somewhere/file") == b"seen\n"
        found = containers.inspect(engine, place.container)
        assert found["State"]["Status"] == "created"
        image = found["Config"]["Image"]
        assert bench.client.images.get(image).attrs["Size"] == 0
    assert bench.containers() == []
    with pytest.raises(docker.errors.ImageNotFound):
        bench.client.images.get(image)


def test_a_look_that_fails_leaves_nothing_either(bench: Bench, engine: Engine):
    mount = Mount(source=bench.make_volume(), target="/somewhere", read_only=True)

    def fail() -> None:
        with look_into(engine, bench.owner, {mount}):
            assert len(bench.containers()) == 1
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert bench.containers() == []


def test_a_directory_that_is_not_there_is_no_place(bench: Bench, engine: Engine, tmp_path: Path):
    mount = Mount(source=str(tmp_path / "gone"), target="/somewhere", read_only=True)
    with look_into(engine, bench.owner, {mount}) as place:
        assert place is None
    assert bench.containers() == []


def test_without_a_mount_there_is_nothing_to_look_into(bench: Bench, engine: Engine):
    with look_into(engine, bench.owner, set()) as place:
        assert place is None
