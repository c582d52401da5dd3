"""A container is followed to its end over a connection that is lost on the way (A11)."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from plan import labels
from runtime.docker import archive, execution, follow
from runtime.docker import engine as docker_engine
from runtime.docker.engine import Engine
from runtime.docker.execution import added_lines, execute
from runtime.failure import EngineUnreachableError, StepError
from tests.runtime.conftest import IMAGE, Bench
from tests.runtime.docker.conftest import end_step, start_step
from tests.runtime.docker.lossy_proxy import LossyProxy, lossy_proxy

pytestmark = pytest.mark.engine

ESTABLISHED, KEEP_ALIVE_TIMER = "01", "02:"
"""As the kernel shows a connection's state and its timer in /proc/net/tcp."""

SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


@pytest.fixture
def proxy() -> Iterator[LossyProxy]:
    with lossy_proxy(SOCKET) as made:
        yield made


@pytest.fixture
def engine(proxy: LossyProxy) -> Iterator[Engine]:
    with closing(Engine(proxy.address)) as made:
        yield made


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch):
    """What takes a quarter of a minute takes less than a second."""
    for name, seconds in {
        "TICK_SECONDS": 0.1,
        "LOOK_SECONDS": 0.3,
        "ANSWER_SECONDS": 1.5,
        "RETRY_SECONDS": 0.1,
    }.items():
        monkeypatch.setattr(follow, name, seconds)
    monkeypatch.setattr(execution, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(docker_engine, "FIRST_ANSWER_SECONDS", 1.5)


def run(bench: Bench, script: str) -> Any:
    return bench.client.containers.run(
        IMAGE,
        ["sh", "-ec", script],
        network_mode="none",
        init=True,
        labels={f"{labels.NAMESPACE}.test": bench.stack},
        detach=True,
    )


class Followed:
    """A container that is followed in a thread of its own, as a program follows it."""

    def __init__(self, engine: Engine, container: Any) -> None:
        self.told: list[str] = []
        self.ticks: list[float] = []
        self.failure: StepError | None = None
        self._engine, self._container = engine, container
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    @property
    def goes_on(self) -> bool:
        return self._thread.is_alive()

    def end(self, seconds: float = 10) -> None:
        self._thread.join(seconds)
        assert not self.goes_on, "it hangs"

    def _follow(self) -> None:
        try:
            follow.follow(
                self._engine,
                self._container.id,
                deadline=60,
                on_tick=self.ticks.append,
                tell=self.told.append,
            )
        except StepError as error:
            self.failure = error


def test_a_connection_that_is_cut_is_made_again_without_a_word(
    bench: Bench, proxy: LossyProxy, engine: Engine
):
    container = run(bench, "sleep 2")
    watched = Followed(engine, container)
    bench.wait(lambda: len(watched.ticks) > 2)
    proxy.cut()
    watched.end()
    assert watched.failure is None
    assert watched.told == []
    assert container.wait()["StatusCode"] == 0
    assert watched.ticks[-1] > 1, "it was followed to its end"


def test_an_engine_that_is_away_for_a_while_is_tried_again(
    bench: Bench, proxy: LossyProxy, engine: Engine
):
    container = run(bench, "sleep 3")
    watched = Followed(engine, container)
    bench.wait(lambda: bool(watched.ticks))
    proxy.go_away()
    bench.wait(lambda: bool(watched.told))
    time.sleep(1)
    assert watched.goes_on
    proxy.come_back()
    watched.end()
    assert watched.failure is None
    away, back = watched.told
    assert "Connection refused" in away or "does not answer" in away
    assert away.endswith("trying again for 10 minutes")
    assert back == "the engine answers again"


def test_a_connection_that_swallows_everything_is_given_up(
    bench: Bench, proxy: LossyProxy, engine: Engine
):
    container = run(bench, "sleep 8")
    watched = Followed(engine, container)
    bench.wait(lambda: bool(watched.ticks))
    proxy.block()
    bench.wait(lambda: bool(watched.told))
    proxy.unblock()
    bench.wait(lambda: len(watched.told) == 2)
    container.reload()
    assert container.status == "running", "it was followed again before it ended"
    watched.end()
    assert watched.failure is None


def test_a_container_that_ends_behind_a_dead_connection_is_noticed(
    bench: Bench, proxy: LossyProxy, engine: Engine
):
    container = run(bench, "sleep 60")
    watched = Followed(engine, container)
    bench.wait(lambda: bool(watched.ticks))
    proxy.block()
    container.kill()
    bench.wait(lambda: bool(watched.told))
    proxy.unblock()
    watched.end()
    assert watched.failure is None


@pytest.mark.parametrize("lose", ["go_away", "block"])
def test_an_engine_that_stays_away_ends_the_step_and_not_the_container(
    bench: Bench,
    proxy: LossyProxy,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    lose: str,
):
    monkeypatch.setattr(follow, "OUTAGE_SECONDS", 1.5)
    container = run(bench, "sleep 60")
    watched = Followed(engine, container)
    bench.wait(lambda: bool(watched.ticks))
    getattr(proxy, lose)()
    watched.end(15)
    assert isinstance(watched.failure, EngineUnreachableError)
    assert "the next `pulumi up` attaches to it" in str(watched.failure)
    assert len(watched.told) == 1
    container.reload()
    assert container.status == "running"


def test_looks_do_not_wait_on_a_dead_connection(bench: Bench, proxy: LossyProxy, engine: Engine):
    container = run(bench, "echo hello; sleep 60")
    bench.wait(lambda: follow.read_log(engine, container.id, lines=1) == "hello\n")
    proxy.block()
    with pytest.raises(EngineUnreachableError, match="has not answered"):
        follow.read_log(engine, container.id, lines=1)


def test_a_step_whose_engine_is_away_for_a_while_ends_well(bench: Bench, proxy: LossyProxy):
    process = start_step(bench, "sleep 4", DOCKER_HOST=proxy.address)
    bench.wait(bench.is_running)
    time.sleep(1)
    proxy.go_away()
    time.sleep(3)
    proxy.come_back()
    words = end_step(process)
    assert words.count("trying again for 10 minutes") == 1
    assert "the engine answers again" in words


def test_a_silent_connection_is_kept_alive(proxy: LossyProxy, engine: Engine):
    with engine.calls() as api:
        api.ping()
    there = f":{int(proxy.address.rsplit(':', 1)[1]):04X}"
    ours = [
        fields
        for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
        if fields[2].endswith(there) and fields[3] == ESTABLISHED
    ]
    assert ours
    assert all(fields[5].startswith(KEEP_ALIVE_TIMER) for fields in ours)


class Listener:
    """The lines that are added to a file, heard in a thread of their own."""

    def __init__(self, engine: Engine, container: Any) -> None:
        self.heard: list[bytes] = []
        self.failure: StepError | None = None
        self._thread = threading.Thread(target=self._listen, args=(engine, container.id))
        self._thread.start()

    def end(self) -> None:
        self._thread.join(15)
        assert not self._thread.is_alive(), "it hangs"

    def _listen(self, engine: Engine, container: str) -> None:
        try:
            for line in added_lines(engine, container, "/log", with_last=False):
                self.heard.append(line)
        except StepError as error:
            self.failure = error


COUNTING = "for number in $(seq 1 40); do echo $number >> /log; sleep 0.1; done; sleep 3"


class TestAddedLines:
    def test_are_heard_until_the_container_ends(self, bench: Bench, engine: Engine):
        listener = Listener(engine, run(bench, f"sleep 0.5; {COUNTING.replace('40', '10')}"))
        listener.end()
        assert listener.heard == [b"%d" % number for number in range(1, 11)]
        assert listener.failure is None

    @pytest.mark.parametrize("lose", ["cut", "go_away"])
    def test_are_heard_again_after_a_loss(
        self, bench: Bench, proxy: LossyProxy, engine: Engine, lose: str
    ):
        listener = Listener(engine, run(bench, COUNTING))
        bench.wait(lambda: len(listener.heard) > 3)
        getattr(proxy, lose)()
        if lose == "go_away":
            time.sleep(0.5)
            proxy.come_back()
        listener.end()
        assert listener.heard[-1] == b"40"
        assert listener.failure is None

    def test_a_silent_connection_is_replaced(
        self, bench: Bench, proxy: LossyProxy, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(execution, "TAIL_SECONDS", 2)
        monkeypatch.setattr(execution, "GRACE_SECONDS", 0.5)
        listener = Listener(engine, run(bench, COUNTING))
        bench.wait(lambda: len(listener.heard) > 3)
        proxy.block()
        proxy.unblock()
        listener.end()
        assert listener.heard[-1] == b"40"

    def test_no_tail_outlives_its_time(
        self, bench: Bench, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(execution, "TAIL_SECONDS", 2)
        container = run(bench, COUNTING)
        listener = Listener(engine, container)
        time.sleep(4.5)
        titles = [process[-1] for process in container.top()["Processes"]]
        assert len([title for title in titles if title.startswith("tail")]) <= 1
        listener.end()
        assert listener.heard[-1] == b"40"

    def test_an_engine_that_stays_away_ends_them(
        self, bench: Bench, proxy: LossyProxy, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(execution, "OUTAGE_SECONDS", 0.5)
        listener = Listener(engine, run(bench, COUNTING))
        bench.wait(lambda: bool(listener.heard))
        proxy.go_away()
        listener.end()
        assert isinstance(listener.failure, EngineUnreachableError)

    def test_a_container_without_tail_goes_without(self, bench: Bench, engine: Engine):
        listener = Listener(engine, run(bench, "rm $(command -v tail); echo ready > /log; sleep 2"))
        listener.end()
        assert listener.heard == []
        assert listener.failure is None


class TestExecution:
    def test_a_command_whose_connection_is_cut_is_not_taken_for_done(
        self, bench: Bench, proxy: LossyProxy, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(execution, "SETTLE_SECONDS", 0.2)
        container = run(bench, "sleep 60")
        threading.Timer(1, proxy.cut).start()
        with pytest.raises(EngineUnreachableError, match="broke off while sleep was at work"):
            execute(engine, container.id, ["sleep", "10"], seconds=20)

    def test_a_command_that_writes_to_a_connection_that_is_cut(
        self, bench: Bench, proxy: LossyProxy, engine: Engine
    ):
        container = run(bench, "sleep 60")
        threading.Timer(1, proxy.cut).start()
        chatty = ["sh", "-c", "for number in $(seq 1 40); do echo $number; sleep 0.2; done"]
        with pytest.raises(EngineUnreachableError, match="broke off"):
            execute(engine, container.id, chatty, seconds=20)

    @pytest.mark.parametrize(("command", "code"), [("false", 1), ("no-such-program", 127)])
    def test_a_command_that_fails_is_no_lost_connection(
        self, bench: Bench, engine: Engine, command: str, code: int
    ):
        container = run(bench, "sleep 60")
        assert execute(engine, container.id, [command], seconds=5).exit_code == code

    def test_a_command_behind_a_dead_connection_ends_with_its_time(
        self, bench: Bench, proxy: LossyProxy, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(execution, "GRACE_SECONDS", 0.5)
        container = run(bench, "sleep 60")
        threading.Timer(0.5, proxy.block).start()
        began = time.monotonic()
        with pytest.raises(EngineUnreachableError):
            execute(engine, container.id, ["sleep", "1"], seconds=1)
        assert time.monotonic() - began < 10

    def test_words_and_exit_code_come_through(self, bench: Bench, engine: Engine):
        container = run(bench, "sleep 60")
        script = "echo out; echo err >&2; printf 'half \\303'; sleep 0.3; printf '\\244'; exit 3"
        heard: list[str] = []
        done = execute(engine, container.id, ["sh", "-c", script], seconds=9, on_words=heard.append)
        assert (done.exit_code, done.output, done.errors) == (3, "out\nhalf ä", "err\n")
        assert heard == ["err\n"]
        large = ["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"]
        assert execute(engine, container.id, large, seconds=9).output == "x" * 3_000_000

    def test_several_files_at_once(self, bench: Bench, engine: Engine):
        container = run(bench, "echo one > /a; echo two > /b; sleep 60")
        bench.wait(lambda: archive.read_running(engine, container.id, ["/b"]) == {"/b": b"two\n"})
        assert archive.read_running(engine, container.id, ["/a", "/none", "/b"]) == {
            "/a": b"one\n",
            "/b": b"two\n",
        }
