"""Fetches a model from a hub into the cache: whole, checked, once.

Usage: fetch_model.py PARAMETERS_JSON RECORD_JSON SUMS

Several files are fetched at once. A connection that is cut is taken up where it was cut, and files
that are complete are not fetched again by a later run. Then every file is compared with the size
and the checksum that the hub tells. Written last: RECORD_JSON, what was fetched, and SUMS, the sums
of the files where they lie, as `sha256sum` checks them.

Runs inside the LLaMA-Factory image.
"""

import contextlib
import json
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol

from hub_file import File, checked  # type: ignore[import-not-found]
from hub_patience import FetchError, Patience, no_room, say  # type: ignore[import-not-found]
from hugging_face import HuggingFace  # type: ignore[import-not-found]
from model_scope import ModelScope  # type: ignore[import-not-found]

CHECKED_AT_ONCE = 4
PROGRESS_SECONDS = 5.0
STALE_SECONDS = 3600.0
"""A partial file that nobody has written to for so long is what a killed run left."""
GB = 1e9


class Hub(Protocol):
    """One model on one hub."""

    setting: str
    """Where the settings name the model; `mirror`: another address of the hub."""
    mirror: str
    secret: str
    """The stack's secret that holds the token."""
    address: str
    place: Path
    """Where the cache keeps the model."""

    def tell(self) -> tuple[str, tuple[File, ...]]:
        """The commit, and all files of it."""

    def snapshot(self, commit: str) -> Path:
        """Where the files of the commit lie, as links to what they hold."""

    def download(self, files: Sequence[File]) -> None:
        """Fetch what is not there yet."""


@dataclass(frozen=True)
class Parameters:
    """What is to be fetched."""

    hub: str
    """`huggingface` or `modelscope`."""
    cache: str
    """Folder that keeps what comes from ModelScope; Hugging Face's client knows its own."""
    repo: str
    revision: str
    """As the settings have it; for the record."""
    asked: str
    """The commit to fetch, or the revision where nobody could tell its commit."""
    never: tuple[str, ...]
    weights: tuple[str, ...]
    duplicates: tuple[str, ...]
    """Patterns: files that are never fetched, and those that are not where there are `weights`."""
    patience_seconds: float
    """Given up after so long without anything new."""


def read_parameters(path: Path) -> Parameters:
    """Raises `FetchError` for a file that holds none."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        lists = {key: tuple(given[key]) for key in ("never", "weights", "duplicates")}
        return Parameters(**{**given, **lists})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FetchError(f"parameters file {path} cannot be read: {error}") from error


def needed_files(names: Sequence[str], asked: Parameters) -> tuple[str, ...]:
    """The files to fetch, of all that the model has: `plan/model_files.py` tells why."""
    files = [name for name in names if not _is_any(name, asked.never)]
    if any(_is_any(name, asked.weights) for name in files):
        files = [name for name in files if not _is_any(name, asked.duplicates)]
    return tuple(files)


def _is_any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def hub_of(asked: Parameters) -> Hub:
    """The hub that is asked for."""
    hub: Hub = (
        ModelScope(asked.repo, asked.asked, Path(asked.cache))
        if asked.hub == "modelscope"
        else HuggingFace(asked.repo, asked.asked)
    )
    return hub


class Fetch:
    """One model on its way from the hub into the cache."""

    def __init__(self, asked: Parameters, hub: Hub) -> None:
        self._asked, self._hub = asked, hub
        self._patience = Patience(
            hub.address,
            f"{asked.repo} at {asked.asked}",
            setting=hub.setting,
            secret=hub.secret,
            seconds=asked.patience_seconds,
        )

    def run(self) -> dict[str, Any]:
        """The record of what lies in the cache now. Raises `FetchError`."""
        commit, files = self._patience.call(self._ask)
        snapshot = self._hub.snapshot(commit)
        self._drop_stale_parts()
        total, there = sum(file.size for file in files), self._bytes(snapshot, files)
        self._demand_room(total - there)
        say(
            f"{len(files)} files, {total / GB:.2f} GB, of {self._asked.repo} at {commit} from "
            f"{self._hub.address}; {there / GB:.2f} GB are there already"
        )
        sums = self._fetch_checked(snapshot, files)
        return {
            "hub": self._asked.hub,
            "repo": self._asked.repo,
            "revision": self._asked.revision,
            "asked": self._asked.asked,
            "commit": commit,
            "fetched_at": int(time.time()),
            "total_bytes": total,
            "files": [
                {"name": file.name, "size": file.size, "sha256": sums[file.name]} for file in files
            ],
        }

    def sums(self, record: Mapping[str, Any]) -> str:
        """The sums of a record's files, a line for each."""
        snapshot = self._hub.snapshot(record["commit"])
        return "".join(f"{each['sha256']}  {snapshot / each['name']}\n" for each in record["files"])

    def _ask(self) -> tuple[str, tuple[File, ...]]:
        commit, told = self._hub.tell()
        needed = set(needed_files([file.name for file in told], self._asked))
        if not needed:
            raise FetchError(
                f"{self._asked.repo} holds no file to load. Look at {self._hub.setting}"
            )
        return commit, tuple(file for file in told if file.name in needed)

    def _fetch_checked(self, snapshot: Path, files: Sequence[File]) -> Mapping[str, str]:
        """SHA-256 by file. A file that is wrong is fetched once more before that is an error."""
        wrong: list[File] = []
        for _ in range(2):
            with self._progress(snapshot, files):
                self._patience.call(lambda: self._download(snapshot, files))
            say(f"checking {sum(file.size for file in files) / GB:.2f} GB")
            with ThreadPoolExecutor(CHECKED_AT_ONCE) as pool:
                digests = pool.map(checked, (snapshot / file.name for file in files), files)
                found = {file.name: digest for file, digest in zip(files, digests, strict=True)}
            wrong = [file for file in files if found[file.name] is None]
            if not wrong:
                return {name: str(digest) for name, digest in found.items()}
            for file in wrong:
                say(f"wrong checksum: {file.name}; it goes")
                # The link goes, and what it leads to: else the next run would believe it.
                (snapshot / file.name).resolve().unlink(missing_ok=True)
                (snapshot / file.name).unlink(missing_ok=True)
        raise FetchError(
            f"wrong checksum, twice, of {', '.join(file.name for file in wrong)}: "
            f"{self._hub.address} does not send what it announces. Run again, or use another "
            f"{self._hub.mirror}"
        )

    def _download(self, snapshot: Path, files: Sequence[File]) -> None:
        before = self._size(snapshot, files)
        try:
            self._hub.download(files)
        finally:
            if self._size(snapshot, files) > before:
                self._patience.something_came()
        missing = [file.name for file in files if not (snapshot / file.name).exists()]
        if missing:
            raise ConnectionError(f"{', '.join(missing)}: not sent")

    def _demand_room(self, needed: int) -> None:
        free = shutil.disk_usage(nearest(self._hub.place)).free
        if needed > free:
            raise FetchError(
                no_room(
                    self._asked.repo,
                    f"{needed / GB:.2f} GB are to be fetched, {free / GB:.2f} GB are free",
                )
            )

    def _drop_stale_parts(self) -> None:
        for part in self._parts():
            with contextlib.suppress(OSError):
                if time.time() - part.stat().st_mtime > STALE_SECONDS:
                    part.unlink()

    def _parts(self) -> list[Path]:
        return list((self._hub.place / "blobs").glob("*.incomplete"))

    @staticmethod
    def _bytes(snapshot: Path, files: Sequence[File]) -> int:
        """Bytes of the files that are complete."""
        return sum(file.size for file in files if (snapshot / file.name).exists())

    def _size(self, snapshot: Path, files: Sequence[File]) -> int:
        """Bytes that have come, of files that are still on their way too."""
        parts, total = 0, int(sum(file.size for file in files))
        for part in self._parts():
            with contextlib.suppress(OSError):
                parts += part.stat().st_size
        return min(total, self._bytes(snapshot, files) + parts)

    @contextlib.contextmanager
    def _progress(self, snapshot: Path, files: Sequence[File]) -> Iterator[None]:
        """Lines on how far it has come, while the block runs."""
        total, ended = sum(file.size for file in files), threading.Event()

        def tell() -> None:
            first, began, told = self._size(snapshot, files), time.monotonic(), -1
            while not ended.wait(PROGRESS_SECONDS):
                now = self._size(snapshot, files)
                rate = (now - first) / (time.monotonic() - began)
                if now > told:
                    say(progress_line(now, total, rate))
                    told = now

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            ended.set()
            teller.join()


def progress_line(done: int, total: int, rate: float) -> str:
    """How far it has come; `rate` in bytes per second."""
    words = f"{done / GB:.2f} of {total / GB:.2f} GB ({100 * done // max(total, 1)}%)"
    if rate <= 0:
        return words
    minutes, seconds = divmod(int((total - done) / rate), 60)
    left = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return f"{words}, {rate / GB:.3f} GB/s, {left} left"


def nearest(path: Path) -> Path:
    """The path, or the folder nearest above it that is there."""
    return next(each for each in (path, *path.parents) if each.exists())


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    if len(arguments) != 3:  # noqa: PLR2004 - the three files
        say("error: usage: fetch_model.py PARAMETERS_JSON RECORD_JSON SUMS")
        return 2
    try:
        asked = read_parameters(Path(arguments[0]))
        fetch = Fetch(asked, hub_of(asked))
        record = fetch.run()
    except FetchError as error:
        say(f"error: {error}")
        return 1
    text = json.dumps(record, indent=2, sort_keys=True) + "\n"
    Path(arguments[1]).write_text(text, encoding="utf-8")
    Path(arguments[2]).write_text(fetch.sums(record), encoding="utf-8")
    say(f"{record['total_bytes'] / GB:.2f} GB of {record['repo']} are in the cache, checked")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
