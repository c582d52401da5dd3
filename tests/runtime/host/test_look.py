"""The look at the host: facts, and problems, all of them at once (H1-H3)."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from plan import labels
from plan.host import HostFacts, HostQuestions, PortClaim, TokenQuestions, Tokens
from plan.owner import Owner
from plan.problem import Problem
from runtime.host.look import HostLook
from tests.runtime.conftest import IMAGE, TEST_LABEL, Bench

pytestmark = [
    pytest.mark.engine,
    # Of a socket that nobody listens on the SDK leaves its own end to the garbage collection.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def problems(bench: Bench, questions: HostQuestions) -> tuple[Problem, ...]:
    with closing(HostLook(questions.engine, bench.owner, asks=True)) as look:
        return look.findings(questions).problems


def claim(bench: Bench, port: int, address: str = "127.0.0.1") -> PortClaim:
    return PortClaim(
        key="board.port", bind_address=address, port=port, container=f"{bench.stack}-board"
    )


@contextmanager
def listener() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


class TestFacts:
    def test_they_are_told_and_nothing_is_left_behind(
        self, bench: Bench, look: HostLook, questions: HostQuestions
    ):
        findings = look.findings(questions)
        assert findings.problems == ()
        info = bench.client.info()
        assert findings.facts.engine_id == info["ID"]
        assert findings.facts.engine_version == info["ServerVersion"]
        assert findings.facts.cpu_cores == info["NCPU"]
        assert findings.facts.gpus is None
        assert findings.facts.disk_free_gb
        assert bench.containers() == []

    def test_it_is_quick(self, look: HostLook, questions: HostQuestions):
        began = time.monotonic()
        look.findings(questions)
        # A machine that does other things at the same time gets some slack.
        assert time.monotonic() - began < 3

    def test_one_that_does_not_ask_needs_no_engine(self, questions: HostQuestions):
        look = HostLook("tcp://127.0.0.1:1", questions.owner, asks=False)
        findings = look.findings(questions)
        assert (findings.facts, findings.problems) == (HostFacts(), ())
        assert look.tokens(TokenQuestions(services=("api",))) == Tokens()


class TestProblems:
    @pytest.mark.parametrize("engine", ["tcp://127.0.0.1:1", "unix:///nowhere.sock", "x://y"])
    def test_an_engine_that_does_not_answer_is_one(
        self, bench: Bench, questions: HostQuestions, engine: str
    ):
        (problem,) = problems(bench, replace(questions, engine=engine))
        assert (problem.key, problem.value) == ("host.engine", engine)

    def test_foreign_things_with_the_stacks_names_are_problems(
        self, bench: Bench, questions: HostQuestions
    ):
        bench.client.volumes.create(bench.volume)
        bench.client.networks.create(bench.stack, driver="bridge")
        bench.client.containers.create(
            IMAGE, name=f"{bench.stack}-board", labels={TEST_LABEL: bench.stack}
        )
        wanted = replace(
            questions,
            volumes=(bench.volume,),
            networks=(bench.stack,),
            containers=(f"{bench.stack}-board",),
        )
        assert [problem.value for problem in problems(bench, wanted)] == [
            bench.volume,
            bench.stack,
            f"{bench.stack}-board",
        ]

    def test_its_own_volume_is_none(self, bench: Bench, questions: HostQuestions):
        wanted = replace(questions, volumes=(bench.make_volume(),))
        assert problems(bench, wanted) == ()

    def test_another_users_volume_of_a_stack_of_the_same_name_is_one(
        self, bench: Bench, questions: HostQuestions
    ):
        others = Owner(stack=bench.stack, id="another")
        bench.client.volumes.create(bench.volume, labels=others.labels)
        (problem,) = problems(bench, replace(questions, owner=bench.owner, volumes=(bench.volume,)))
        assert problem.value == bench.volume


class TestPorts:
    def test_a_port_that_a_program_listens_on_is_a_problem(
        self, bench: Bench, questions: HostQuestions
    ):
        with listener() as port:
            wanted = replace(questions, ports=(claim(bench, port),))
            (problem,) = problems(bench, wanted)
        assert (problem.key, problem.value) == ("board.port", f"127.0.0.1:{port}")
        assert problems(bench, wanted) == ()

    def test_an_address_of_another_host_is_a_problem(self, bench: Bench, questions: HostQuestions):
        wanted = replace(questions, ports=(claim(bench, 7860, "192.0.2.1"),))
        (problem,) = problems(bench, wanted)
        assert "no such address" in problem.rule

    @pytest.mark.parametrize("is_ours", [True, False])
    def test_a_container_that_has_the_port_is_named_unless_it_is_the_stacks(
        self, bench: Bench, questions: HostQuestions, is_ours: bool
    ):
        with listener() as port:
            pass
        # A network of its own: these tests ask nothing of the engine's default bridge.
        bench.client.networks.create(bench.stack, driver="bridge")
        name = f"{bench.stack}-board"
        bench.client.containers.run(
            IMAGE,
            ["sleep", "600"],
            name=name,
            detach=True,
            init=True,
            network=bench.stack,
            ports={"80/tcp": ("127.0.0.1", port)},
            labels={(labels.STACK if is_ours else TEST_LABEL): bench.stack},
        )
        found = problems(bench, replace(questions, ports=(claim(bench, port),)))
        rules = [problem.rule for problem in found]
        if is_ours:
            assert rules == []
        else:
            assert rules == [f"the port cannot be published: container {name} has it"]
