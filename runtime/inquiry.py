"""Inquiries: a container runs one program of ours, answers in a file, and is gone.

It has no network and no name: two stacks may ask at the same time.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from plan.codec import DecodeError, decode, encode
from plan.container import Container, Mount
from plan.owner import Owner
from runtime.docker import archive, containers
from runtime.docker.engine import Engine
from runtime.docker.follow import follow, read_log
from runtime.failure import StepError

DEADLINE_SECONDS = 6 * 3600
"""For reading every weight once, from a slow disk."""
LOG_TAIL = 20

A = TypeVar("A")


def ask_program(
    engine: Engine,
    owner: Owner,
    program: Path,
    request: object,
    kind: type[A],
    *,
    step: str,
    image: str,
    mounts: Sequence[Mount],
    unanswered: str,
    unreadable: str,
) -> A:
    """What a program of Python's answers to a request, both in JSON.

    Raises `StepError`, which begins as the last two say, where it leaves no answer or another one.
    """
    names = [f"/{step}/{name}" for name in (program.name, "request.json", "answer.json")]
    asked, given, answer = names
    said = answer_of(
        engine,
        owner,
        Container(image=image, command=("python", *names), mounts=tuple(mounts)),
        {asked: program, given: encode(request).encode()},
        answer,
        step=step,
        unanswered=unanswered,
    )
    try:
        return decode(kind, said)
    except DecodeError as error:
        raise StepError(f"{unreadable}: {error}") from error


def answer_of(
    engine: Engine,
    owner: Owner,
    container: Container,
    files: Mapping[str, archive.Content],
    answer: str,
    *,
    step: str,
    unanswered: str,
    deadline: int = DEADLINE_SECONDS,
    entrypoint: Sequence[str] = (),
) -> bytes:
    """The file that a container leaves at `answer`. `files` are put into it by their paths.

    Raises `StepError` with its last words where there is none, and where its image or a volume is
    gone.
    """
    created = containers.create(
        engine, None, container, containers.step_labels(owner, step), entrypoint=entrypoint
    )
    try:
        put = {path.removeprefix("/"): content for path, content in files.items()}
        archive.put_files(engine, created, "/", put)
        containers.start(engine, created, step)
        follow(engine, created, deadline=deadline, on_tick=lambda _: None)
        said = archive.read_file(engine, created, answer)
        if said is None:
            words = read_log(engine, created, lines=LOG_TAIL).strip()
            raise StepError(f"{unanswered}: {words}")
        return said
    finally:
        containers.remove(engine, created)
