"""Removes folders out of a stack's volumes, by a container that has no network.

Whatever breaks off, nothing that is left looks complete, and the same removal again finishes it.
"""

from collections.abc import Sequence
from pathlib import Path

from plan.codec import encode
from plan.container import Container, Mount
from plan.owner import Owner
from plan.removal import Removal
from runtime.docker import archive, containers
from runtime.docker.engine import Engine
from runtime.docker.follow import follow, read_log
from runtime.failure import StepError

PROGRAM = Path(__file__).resolve().parents[1] / "in_container/remove.py"
FOLDER = "/removal"
STEP = "removal"
DEADLINE_SECONDS = 6 * 3600
"""For millions of small files on a slow disk."""
LOG_TAIL = 20


def remove_folders(
    engine: Engine, owner: Owner, removal: Removal, *, image: str, mounts: Sequence[Mount]
) -> None:
    """Remove all of them. `image` is one of the stack's with Python in it.

    Raises `StepError` with what could not be removed, and where a volume or the image is gone.
    """
    files: dict[str, archive.Content] = {
        "remove.py": PROGRAM,
        "request.json": encode(removal).encode(),
    }
    container = Container(
        image=image,
        command=("python", f"{FOLDER}/remove.py", f"{FOLDER}/request.json"),
        mounts=tuple(mounts),
    )
    created = containers.create(engine, None, container, containers.step_labels(owner, STEP))
    try:
        given = {f"{FOLDER}/{name}"[1:]: content for name, content in files.items()}
        archive.put_files(engine, created, "/", given)
        containers.start(engine, created, STEP)
        follow(engine, created, deadline=DEADLINE_SECONDS, on_tick=lambda _: None)
        code = containers.inspect(engine, created)["State"]["ExitCode"]
        if code != 0:
            words = read_log(engine, created, lines=LOG_TAIL).strip()
            raise StepError(f"not everything could be removed from {owner.stack}: {words}")
    finally:
        containers.remove(engine, created)
