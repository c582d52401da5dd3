"""A look at all that a stack has in its volumes, by a container that can only read.

It has no network, mounts every volume read-only, and is gone when the look is over.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from plan.codec import DecodeError, decode, encode
from plan.container import Container, Mount
from plan.owner import Owner
from plan.survey import Survey, SurveyRequest
from runtime.docker import archive, containers
from runtime.docker.engine import Engine
from runtime.docker.follow import follow, read_log
from runtime.failure import StepError

PROGRAM = Path(__file__).resolve().parents[1] / "in_container/survey.py"
FOLDER = "/survey"
STEP = "survey"
DEADLINE_SECONDS = 6 * 3600
"""For reading every weight once, from a slow disk."""
LOG_TAIL = 20


def take_survey(
    engine: Engine, owner: Owner, request: SurveyRequest, *, image: str, mounts: Sequence[Mount]
) -> Survey:
    """What was asked for. `image` is one of the stack's with Python in it.

    Raises `StepError` where a volume or the image is gone.
    """
    names = {name: f"{FOLDER}/{name}" for name in ("survey.py", "request.json", "survey.json")}
    container = Container(
        image=image,
        command=("python", *names.values()),
        mounts=tuple(replace(mount, read_only=True) for mount in mounts),
    )
    # No name: two surveys may be taken at the same time.
    created = containers.create(engine, None, container, containers.step_labels(owner, STEP))
    try:
        given: dict[str, archive.Content] = {
            "survey.py": PROGRAM,
            "request.json": encode(request).encode(),
        }
        archive.put_files(
            engine, created, "/", {f"{FOLDER}/{name}"[1:]: each for name, each in given.items()}
        )
        containers.start(engine, created, STEP)
        follow(engine, created, deadline=DEADLINE_SECONDS, on_tick=lambda _: None)
        answer = archive.read_file(engine, created, names["survey.json"])
        if answer is None:
            words = read_log(engine, created, lines=LOG_TAIL).strip()
            raise StepError(f"the volumes of {owner.stack} cannot be looked at: {words}")
        return decode(Survey, answer)
    except DecodeError as error:
        raise StepError(f"what the survey of {owner.stack} says cannot be read: {error}") from error
    finally:
        containers.remove(engine, created)
