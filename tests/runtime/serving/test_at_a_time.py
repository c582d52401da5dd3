"""Questions at a time: in order, so many together, and nobody waits when it is called off."""

import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from runtime.serving.at_a_time import answers_of

PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize("at_a_time", [1, 2, 7, 20])
def test_answers_come_in_the_order_of_the_questions(at_a_time: int) -> None:
    questions = [partial(int, str(number)) for number in range(9)]
    assert answers_of(questions, at_a_time=at_a_time) == list(range(9))


def test_so_many_are_asked_together_and_no_more() -> None:
    meeting = threading.Barrier(3, timeout=10)
    active, most, counting = 0, 0, threading.Lock()

    def question() -> None:
        nonlocal active, most
        with counting:
            active += 1
            most = max(most, active)
        meeting.wait()
        with counting:
            active -= 1

    answers_of([question] * 9, at_a_time=3)
    assert most == 3


def test_the_first_failure_ends_it() -> None:
    asked: list[int] = []

    def question(number: int) -> None:
        asked.append(number)
        if number == 2:
            raise ValueError("no answer")

    with pytest.raises(ValueError, match="no answer"):
        answers_of([partial(question, number) for number in range(9)], at_a_time=1)
    assert asked == [0, 1, 2]


def test_who_is_called_off_ends_while_a_question_is_open() -> None:
    program = (
        "import signal, time\n"
        "from runtime.serving.at_a_time import answers_of\n"
        "signal.signal(signal.SIGALRM, lambda *_: exit(130))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.1)\n"
        "answers_of([lambda: time.sleep(60)] * 4, at_a_time=2)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, timeout=30, check=False)
    assert done.returncode == 130
