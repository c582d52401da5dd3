"""Several questions at a time, which nobody has to wait for when the program is called off."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def answers_of(questions: Sequence[Callable[[], T]], *, at_a_time: int) -> list[T]:
    """The answers, in the order of the questions; the first failure ends it.

    No pool of `concurrent.futures`: the interpreter waits for its threads, and an answer may take
    minutes.
    """
    found: dict[int, T] = {}
    failures: list[BaseException] = []
    waiting, choosing = iter(enumerate(questions)), threading.Lock()

    def work() -> None:
        while not failures:
            with choosing:
                index, question = next(waiting, (0, None))
            if question is None:
                return
            try:
                found[index] = question()
            except Exception as failure:
                failures.append(failure)

    count = max(1, min(at_a_time, len(questions)))
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [found[index] for index in range(len(questions))]
