"""Holds artefacts against their sums, where they lie, by a container that has no network."""

from collections.abc import Sequence
from pathlib import Path

from plan.codec import DecodeError, decode, encode
from plan.container import Container, Mount
from plan.damage import DamageReport, DamageRequest
from plan.owner import Owner
from runtime.docker import archive, containers
from runtime.docker.engine import Engine
from runtime.docker.follow import follow, read_log
from runtime.failure import StepError

PROGRAM = Path(__file__).resolve().parents[1] / "in_container/find_damage.py"
FOLDER = "/damage"
STEP = "find-damage"
DEADLINE_SECONDS = 6 * 3600
"""For reading every weight once, from a slow disk."""
LOG_TAIL = 20


def find_damage(
    engine: Engine, owner: Owner, request: DamageRequest, *, image: str, mounts: Sequence[Mount]
) -> DamageReport:
    """What is damaged; it has lost its name, and its step makes it again.

    `image` is one of the stack's with Python in it. Raises `StepError` where a volume is gone.
    """
    names = {name: f"{FOLDER}/{name}" for name in ("find_damage.py", "request.json", "report.json")}
    container = Container(image=image, command=("python", *names.values()), mounts=tuple(mounts))
    # No name: two stacks may look at the same time.
    created = containers.create(engine, None, container, containers.step_labels(owner, STEP))
    try:
        given: dict[str, archive.Content] = {
            "find_damage.py": PROGRAM,
            "request.json": encode(request).encode(),
        }
        archive.put_files(
            engine, created, "/", {f"{FOLDER}/{name}"[1:]: each for name, each in given.items()}
        )
        containers.start(engine, created, STEP)
        follow(engine, created, deadline=DEADLINE_SECONDS, on_tick=lambda _: None)
        answer = archive.read_file(engine, created, names["report.json"])
        if answer is None:
            words = read_log(engine, created, lines=LOG_TAIL).strip()
            raise StepError(f"artefacts of {owner.stack} cannot be checked: {words}")
        return decode(DamageReport, answer)
    except DecodeError as error:
        raise StepError(
            f"what is said of artefacts of {owner.stack} is damaged: {error}"
        ) from error
    finally:
        containers.remove(engine, created)
