"""How much disk the volumes of a stack take, and how much is left."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from families import Sample

LEAST_PAUSE_SECONDS = 60.0
PAUSES_PER_LOOK = 50
"""Looks take a fiftieth of the time at most, however many files there are."""
BLOCK = 512
"""Bytes of a block as stat counts them, whatever the file system's own are."""


class Volumes:
    """Looks at the volumes beside the scrapes, and tells what it has last seen."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places
        self._taken: dict[str, int] = {}

    def watch(self) -> None:
        """Look again and again, until the program ends."""
        threading.Thread(target=self._watch, daemon=True).start()

    def look(self) -> None:
        """Measure every volume once."""
        for role, place in self._places.items():
            self._taken[role] = bytes_below(place)

    def samples(self) -> Iterator[Sample]:
        """The disks as they are now, the volumes as they were at the last look."""
        for role, place in self._places.items():
            if role in self._taken:
                taken = float(self._taken[role])
                yield Sample(name="finetune_volume_bytes", value=taken, labels=(role,))
            disk = os.statvfs(place)
            total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
            yield Sample(name="finetune_volume_disk_bytes", value=float(total), labels=(role,))
            yield Sample(name="finetune_volume_disk_free_bytes", value=float(free), labels=(role,))

    def _watch(self) -> None:
        while True:
            began = time.monotonic()
            self.look()
            took = time.monotonic() - began
            time.sleep(max(LEAST_PAUSE_SECONDS, took * PAUSES_PER_LOOK))


def bytes_below(folder: str) -> int:
    """What the files below a folder take on their disk; one with several names counts once."""
    total, seen = 0, set()
    for place, _, names in os.walk(folder):
        for name in names:
            # A file that goes away meanwhile takes nothing.
            with contextlib.suppress(OSError):
                stat = Path(place, name).lstat()
                if stat.st_nlink > 1 and (key := (stat.st_dev, stat.st_ino)) in seen:
                    continue
                if stat.st_nlink > 1:
                    seen.add(key)
                total += stat.st_blocks * BLOCK
    return total
