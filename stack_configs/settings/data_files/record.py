"""What was found in data files, remembered from one `up` to the next.

A record is one file in the operator's cache folder. It holds for the files that it was made from,
told apart by size, times and inode, and for the settings and the version that the check depends
on. A record that is missing, broken or out of date means that the files are read again.
"""

import dataclasses
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from plan import labels
from plan.codec import DecodeError, decode, encode
from plan.identity import digest_of_files, file_digest, identity
from stack_configs.settings.data_files.check import Findings, check_data, data_files
from stack_configs.settings.data_files.failure import DataFileError
from stack_configs.settings.data_files.layout import Layout

VERSION = 2
"""Of the checks: what an earlier version found right may not be, and it measured no rows."""

SETTLED_NS = 2_000_000_000
"""A record must be this much younger than its files: a change within one tick of the file system's
clock would not show in them."""

Stamp = tuple[int, ...]
"""Size, times of change of content and of inode (ns), and the inode."""


def records_folder(environment: Mapping[str, str]) -> Path | None:
    """The operator's cache folder for records; None for an operator without a home."""
    home = environment.get("HOME")
    cache = environment.get("XDG_CACHE_HOME") or (home and f"{home}/.cache")
    return Path(cache) / labels.NAMESPACE / "data-files" if cache else None


def find(
    path: Path, layout: Layout, *, media_folder: Path, records: Path | None = None
) -> Findings:
    """What is known of a data set; its files are read where `records` do not know them.

    Raises `DataFileError` as `check_data` does. Nothing is remembered of what is wrong.
    """
    name = identity(VERSION, str(path), repr(layout), str(media_folder))
    try:
        return _find(path, layout, media_folder, records / f"{name}.json" if records else None)
    except OSError as error:
        raise DataFileError(f"cannot be read ({error})") from error


def _find(path: Path, layout: Layout, media_folder: Path, place: Path | None) -> Findings:
    data = {str(file): _stamp(file) for file in data_files(path)}
    media = _media_files(media_folder) if layout.media else {}
    known = _read(place)
    if known and known.data == data and known.media.keys() == media.keys():
        findings = known.findings
    else:
        findings = check_data(path, layout, media_folder=media_folder)
    digests = _digests(media_folder, media, known)
    if layout.media:
        findings = dataclasses.replace(findings, media=digest_of_files(digests))
    new = _Record(data=data, media=media, digests=digests, findings=findings)
    if place and new != known:
        _write(place, new)
    return findings


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Record:
    data: Mapping[str, Stamp]
    media: Mapping[str, Stamp]
    """By the name below the media folder."""
    digests: Mapping[str, str]
    """Of the media files."""
    findings: Findings


def _stamp(file: Path) -> Stamp:
    found = file.stat()
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _media_files(folder: Path) -> dict[str, Stamp]:
    """The files of a media folder. Where there is none, the rows' check says so."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): _stamp(file) for file in files}


def _digests(folder: Path, media: Mapping[str, Stamp], known: _Record | None) -> Mapping[str, str]:
    """Digests of media files; those that did not change are not read again."""
    unchanged = {
        name: known.digests[name]
        for name, stamp in media.items()
        if known and known.media.get(name) == stamp
    }
    return {name: unchanged.get(name) or file_digest(folder / name) for name in media}


def _read(place: Path | None) -> _Record | None:
    """The record, where it can be relied on."""
    if place is None:
        return None
    try:
        record = decode(_Record, place.read_bytes())
        written = place.stat().st_mtime_ns
    except (OSError, DecodeError):
        return None
    stamps = (*record.data.values(), *record.media.values())
    return record if all(stamp[1] + SETTLED_NS < written for stamp in stamps) else None


def _write(place: Path, record: _Record) -> None:
    """Whole or not at all: another `up` may read or write it now. Without it, files are read."""
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False) as file:
            try:
                file.write(encode(record))
                file.close()
                Path(file.name).replace(place)
            except OSError:
                Path(file.name).unlink(missing_ok=True)
                raise
