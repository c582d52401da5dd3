"""What the plans of all steps that run in containers share."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from plan import paths
from plan.container import Limits
from plan.image import ImagesPlan
from plan.owner import Owner
from plan.volume import VolumesPlan
from planning.names import PhysicalNames

PROJECT = Path(__file__).parents[1]
IN_CONTAINER = "in_container"
"""Folder of the programs that are uploaded into steps' containers."""
SUMMED_AT_ONCE = 4
"""Files. A disk of today reads faster than one core sums up."""

BUNDLED_LIBGOMP = " ".join(
    f"{root}/lib/python3*/{packages}/{wheel}.libs/libgomp*.so*"
    for wheel in ("scikit_learn", "sentencepiece")
    for root in ("/opt/venv", "/opt/conda", "/usr/local")
    for packages in ("site-packages", "dist-packages")
)
"""Where wheels bring their own OpenMP runtime in the images of the hardware variants."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What every step of a stack finds around it."""

    owner: Owner
    images: ImagesPlan
    volumes: VolumesPlan
    names: PhysicalNames
    limits: Limits
    is_measured: bool = False
    """Whether somebody reads how trainings go while they go."""
    read_only_root: bool = True
    """Of containers that write to their volumes alone; Ascend's software writes where it likes."""

    def name(self, *parts: str) -> str:
        """A name on the engine."""
        return "-".join((self.owner.stack, *parts))


def then_complete(
    folder: str,
    *commands: str,
    volume: PurePosixPath = paths.OUTPUT,
    known_sums: str | None = None,
) -> tuple[str, ...]:
    """A shell command line: the commands in order, then the folder gets its final name.

    The rename happens inside the container, so that a step completes with nobody watching. Where
    another stack on the same directory was quicker, its work is the same. Before it, the folder
    gets the sums of its files, and those of files elsewhere that the file `known_sums` in it tells.
    """
    partial, artefact = paths.partial(folder, volume), paths.artefact(folder, volume)
    complete = f"{_sum_up(partial, known_sums)}; mv -T {partial} {artefact}"
    rename = f"if test -e {artefact}; then rm -rf {partial}; else {complete}; fi"
    return ("sh", "-ec", "; ".join((*commands, rename)))


def _sum_up(folder: PurePosixPath, known: str | None) -> str:
    """A shell command that writes the sums of a folder, several files at a time.

    The marker is left out: it is written again whenever another `up` vouches for the artefact.
    """
    found = f"find . -type f ! -path ./{paths.MARKER} ! -path ./{paths.SUMS} -print0"
    commands = (
        f"cd {folder}",
        f"{found} | xargs -0 -r -n 1 -P {SUMMED_AT_ONCE} sha256sum > {paths.SUMS}",
        f"LC_ALL=C sort -k 2 -o {paths.SUMS} {paths.SUMS}",
        *([f"cat {known} >> {paths.SUMS}"] if known else []),
        f"echo '{paths.SUMS_END}' >> {paths.SUMS}",
    )
    return f"({'; '.join(commands)})"


def offline_environment() -> dict[str, str]:
    """No look at the hub: nothing there is needed, and the look costs seconds or fails."""
    return {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
