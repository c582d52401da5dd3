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
from runtime.docker.engine import Engine
from runtime.failure import StepError
from runtime.inquiry import answer_of

PROGRAM = Path(__file__).resolve().parents[1] / "in_container/package_records.sh"
FOLDER = "/survey"
GO = f"{FOLDER}/go"
DEADLINE_SECONDS = 600


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
    packed = answer_of(
        engine,
        owner,
        Container(image=image, command=(program, FOLDER)),
        {program: PROGRAM},
        f"{FOLDER}/records.tar",
        step="package-records",
        unanswered=f"what is in the image {image} cannot be read",
        deadline=DEADLINE_SECONDS,
        entrypoint=("sh",),
    )
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
