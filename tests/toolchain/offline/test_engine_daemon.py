"""A Docker engine of our own: really started beside the host's, asked, and stopped again (H2)."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain.engine_api import ask_engine
from toolchain.errors import ToolchainError
from toolchain.offline.engine_daemon import (
    Daemon,
    is_mount_point,
    running_pid,
    start,
    stop,
    wait_until_it_answers,
)

# Nothing is shared with the host's own engine: socket and folders are this one's own, and so is the
# network namespace. (`--bridge=none` is no isolation: dockerd then deletes the host's docker0.)
OWN_NETWORK = ("unshare", "--net")


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    # A Unix socket's path is short: pytest's own temporary folders are not.
    with tempfile.TemporaryDirectory(prefix="fts-engine-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        made = Daemon(
            socket=folder / "docker.sock",
            data_root=folder / "data",
            state=folder / "state",
            exec_root=folder / "exec",
            launcher=OWN_NETWORK,
        )
        links = host_links()
        yield made
        if running_pid(made) is not None:
            stop(made)
        assert links - host_links() == set(), "the host's own engine has lost a network link"


def host_links() -> set[str]:
    # Bridges of the engine; the virtual interfaces of other tests' containers come and go.
    return {path.parent.name for path in Path("/sys/class/net").glob("docker0/bridge")}


@pytest.mark.engine
def test_starts_answers_and_stops(daemon: Daemon) -> None:
    assert os.geteuid() == 0, "starting an engine needs root: run the tests as root"

    info = start(daemon)

    assert info.data_root == daemon.data_root
    assert ask_engine(daemon.host) == info
    assert running_pid(daemon) is not None

    assert stop(daemon) is True

    assert running_pid(daemon) is None
    assert ask_engine(daemon.host) is None
    assert not daemon.state.exists()
    assert not is_mount_point(daemon.data_root)
    assert stop(daemon) is False


@pytest.mark.engine
def test_networks_of_an_engine_that_was_killed_go_and_those_in_use_stay(daemon: Daemon) -> None:
    assert os.geteuid() == 0, "starting an engine needs root: run the tests as root"
    assert daemon.exec_root is not None
    places = daemon.exec_root / "netns"
    places.mkdir(parents=True)
    dead, alive = places / "00bfa482f7f3", places / "124ec2481e42"
    for place in (dead, alive):
        place.touch()
    subprocess.run(["unshare", f"--net={dead}", "true"], check=True)
    with subprocess.Popen(["unshare", f"--net={alive}", "sleep", "600"]) as process:
        try:
            start(daemon)
            assert not dead.exists()
            assert is_mount_point(alive)
        finally:
            process.kill()
            subprocess.run(["umount", alive], check=False)


@pytest.mark.engine
def test_a_daemon_that_cannot_start_shows_the_end_of_its_log(daemon: Daemon) -> None:
    assert os.geteuid() == 0, "starting an engine needs root: run the tests as root"
    broken = Daemon(
        socket=daemon.socket,
        data_root=daemon.data_root,
        state=daemon.state,
        exec_root=daemon.exec_root,
        launcher=OWN_NETWORK,
        extra_arguments=("--storage-driver=no-such-driver",),
    )

    with pytest.raises(ToolchainError, match="stopped right after its start") as caught:
        start(broken)

    assert "no-such-driver" in str(caught.value)
    assert str(broken.log) in str(caught.value)


def test_a_silent_engine_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="does not answer after 0 s"):
        wait_until_it_answers(f"unix://{tmp_path / 'none.sock'}", seconds=0.1)


def test_another_program_with_the_recorded_process_id_is_not_ours(tmp_path: Path) -> None:
    daemon = Daemon(socket=tmp_path / "s", data_root=tmp_path / "d", state=tmp_path)
    with subprocess.Popen(["sleep", "60"]) as other:
        daemon.pid_file.write_text(f"{other.pid}\n")

        assert running_pid(daemon) is None

        other.kill()


def test_arguments_name_every_folder_and_the_group() -> None:
    daemon = Daemon(
        socket=Path("/s/docker.sock"), data_root=Path("/data"), state=Path("/state"), group="1000"
    )

    assert daemon.arguments() == [
        *("dockerd", "--host", "unix:///s/docker.sock", "--data-root", "/data"),
        *("--pidfile", "/state/dockerd.pid", "--group", "1000"),
    ]
