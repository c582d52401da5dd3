"""What an image's package managers say is in it, read by a container that changes nothing.

It has no network and no volume, runs one program of ours, and is gone when that is over.
"""

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from plan.container import Container
from plan.owner import Owner
from runtime.docker import archive, containers
from runtime.docker.engine import Engine
from runtime.docker.follow import follow, read_log
from runtime.failure import StepError

PROGRAM = Path(__file__).resolve().parents[1] / "in_container/package_records.sh"
FOLDER = "/survey"
GO = f"{FOLDER}/go"
STEP = "package-records"
DEADLINE_SECONDS = 600
LOG_TAIL = 20


@dataclass(frozen=True, kw_only=True)
class PackageRecords:
    """The files, by their paths in the image."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    programs: Mapping[str, bytes] = field(default_factory=dict)
    """Of each program that Go has linked, its build information and what follows it."""


def read_package_records(engine: Engine, owner: Owner, image: str) -> PackageRecords:
    """Everything that `in_container/package_records.sh` finds in an image.

    Raises `StepError` where the image is gone, or has no shell, find, grep or tar to read it with.
    """
    program = f"{FOLDER}/{PROGRAM.name}"
    # No name: two stacks of one image may be looked at at the same time.
    created = containers.create(
        engine,
        None,
        Container(image=image, command=(program, FOLDER)),
        containers.step_labels(owner, STEP),
        entrypoint=("sh",),
    )
    try:
        archive.put_files(engine, created, "/", {program[1:]: PROGRAM})
        containers.start(engine, created, STEP)
        follow(engine, created, deadline=DEADLINE_SECONDS, on_tick=lambda _: None)
        packed = archive.read_file(engine, created, f"{FOLDER}/records.tar")
        if packed is None:
            words = read_log(engine, created, lines=LOG_TAIL).strip()
            raise StepError(f"what is in the image {image} cannot be read: {words}")
    finally:
        containers.remove(engine, created)
    return _unpacked(packed, image)


def _unpacked(packed: bytes, image: str) -> PackageRecords:
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as packing:
            for member in packing:
                if (file := packing.extractfile(member)) is not None:
                    files[f"/{member.name.lstrip('/')}"] = file.read()
    except tarfile.TarError as error:
        raise StepError(f"what is in the image {image} cannot be read: {error}") from error
    programs = {path for path in files if path.startswith(f"{GO}/")}
    return PackageRecords(
        files={path: content for path, content in files.items() if path not in programs},
        programs={path.removeprefix(GO): files[path] for path in programs},
    )
