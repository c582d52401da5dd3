"""Fetches a model from the hub into the cache of Hugging Face: whole, checked, once.

Usage: fetch_model.py PARAMETERS_JSON RECORD_JSON

Several files are fetched at once. A connection that is cut is taken up where it was cut, and files
that are complete are not fetched again by a later run. Then every file is compared with the size
and the checksum that the hub tells. RECORD_JSON is written last: what was fetched, and its sums.

HF_TOKEN, HF_ENDPOINT and the variables for proxies count. Runs inside the LLaMA-Factory image.
"""

# ruff: noqa: PLC0415 - huggingface_hub is in the image only, and reads the environment as it loads

import contextlib
import glob
import hashlib
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hub_patience import FetchError, Patience, no_room, say  # type: ignore[import-not-found]

AT_ONCE = 8
"""Files that are fetched together."""
CHECKED_AT_ONCE = 4
PROGRESS_SECONDS = 5.0
STALE_SECONDS = 3600.0
"""A partial file that nobody has written to for so long is what a killed run left."""
GB = 1e9
PIECE = 1 << 22


@dataclass(frozen=True)
class Parameters:
    """What is to be fetched."""

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


@dataclass(frozen=True)
class File:
    """One file of the model, as the hub tells of it."""

    name: str
    size: int
    sha256: str | None
    git_id: str | None
    """SHA-1 as git names the content; of a file that is no LFS file."""


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


class Fetch:
    """One model on its way from the hub into the cache."""

    def __init__(self, asked: Parameters) -> None:
        from huggingface_hub import constants  # type: ignore[import-not-found]

        self._asked = asked
        self._hub = str(constants.ENDPOINT)
        self._cache = Path(constants.HF_HUB_CACHE)
        self._place = self._cache / f"models--{asked.repo.replace('/', '--')}"
        self._patience = Patience(
            self._hub, asked.repo, asked.asked, seconds=asked.patience_seconds
        )

    def run(self) -> dict[str, Any]:
        """The record of what lies in the cache now. Raises `FetchError`."""
        commit, files = self._patience.call(self._ask)
        snapshot = self._place / "snapshots" / commit
        self._drop_stale_parts()
        total, there = sum(file.size for file in files), self._bytes(snapshot, files)
        self._demand_room(total - there)
        say(
            f"{len(files)} files, {total / GB:.2f} GB, of {self._asked.repo} at {commit} from "
            f"{self._hub}; {there / GB:.2f} GB are there already"
        )
        sums = self._fetch_checked(snapshot, files)
        return {
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

    def _ask(self) -> tuple[str, tuple[File, ...]]:
        from huggingface_hub import HfApi

        info = HfApi().model_info(self._asked.repo, revision=self._asked.asked, files_metadata=True)
        told = {each.rfilename: each for each in info.siblings or ()}
        files = tuple(
            File(
                name=name,
                size=int(told[name].size or 0),
                sha256=told[name].lfs.sha256 if told[name].lfs else None,
                git_id=None if told[name].lfs else told[name].blob_id,
            )
            for name in needed_files(tuple(told), self._asked)
        )
        if not files:
            raise FetchError(
                f"{self._asked.repo} holds no file to load. Look at models[].base_model.hub"
            )
        return str(info.sha), files

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
            f"wrong checksum, twice, of {', '.join(file.name for file in wrong)}: {self._hub} "
            "does not send what it announces. Run again, or use another images.mirrors.model_hub"
        )

    def _download(self, snapshot: Path, files: Sequence[File]) -> None:
        from huggingface_hub import snapshot_download

        before = self._bytes(snapshot, files)
        try:
            snapshot_download(
                self._asked.repo,
                revision=self._asked.asked,
                allow_patterns=[glob.escape(file.name) for file in files],
                max_workers=AT_ONCE,
            )
        finally:
            if self._bytes(snapshot, files) > before:
                self._patience.something_came()
        missing = [file.name for file in files if not (snapshot / file.name).exists()]
        if missing:
            raise ConnectionError(f"{', '.join(missing)}: not sent")

    def _demand_room(self, needed: int) -> None:
        free = shutil.disk_usage(nearest(self._cache)).free
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
        return list((self._place / "blobs").glob("*.incomplete"))

    @staticmethod
    def _bytes(snapshot: Path, files: Sequence[File]) -> int:
        """Bytes of the files that are complete."""
        return sum(file.size for file in files if (snapshot / file.name).exists())

    @contextlib.contextmanager
    def _progress(self, snapshot: Path, files: Sequence[File]) -> Iterator[None]:
        """Lines on how far it has come, while the block runs."""
        total, ended = sum(file.size for file in files), threading.Event()

        def size() -> int:
            parts = 0
            for part in self._parts():
                with contextlib.suppress(OSError):
                    parts += part.stat().st_size
            return min(total, self._bytes(snapshot, files) + parts)

        def tell() -> None:
            first, began, told = size(), time.monotonic(), -1
            while not ended.wait(PROGRESS_SECONDS):
                now, rate = size(), (size() - first) / (time.monotonic() - began)
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


def checked(path: Path, file: File) -> str | None:
    """SHA-256 of a file that is what the hub announced; None of one that is not."""
    sha256 = hashlib.sha256()
    git = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as source:
        while piece := source.read(PIECE):
            sha256.update(piece)
            if file.git_id is not None:
                git.update(piece)
    is_right = (
        path.stat().st_size == file.size
        and file.sha256 in (None, sha256.hexdigest())
        and file.git_id in (None, git.hexdigest())
    )
    return sha256.hexdigest() if is_right else None


def nearest(path: Path) -> Path:
    """The path, or the folder nearest above it that is there."""
    return next(each for each in (path, *path.parents) if each.exists())


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    if len(arguments) != 2:  # noqa: PLR2004 - the two files
        say("error: usage: fetch_model.py PARAMETERS_JSON RECORD_JSON")
        return 2
    # Bars are for terminals; ten seconds, the default, are short for a hub that is far away.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", "30")
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "30")
    try:
        record = Fetch(read_parameters(Path(arguments[0]))).run()
    except FetchError as error:
        say(f"error: {error}")
        return 1
    text = json.dumps(record, indent=2, sort_keys=True) + "\n"
    Path(arguments[1]).write_text(text, encoding="utf-8")
    say(f"{record['total_bytes'] / GB:.2f} GB of {record['repo']} are in the cache, checked")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
