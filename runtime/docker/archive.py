"""Files of a container, running or not, through the engine's archive calls.

They reach into the volumes that the container mounts, so that no step needs a path on the host.
"""

import base64
import io
import json
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from docker import APIClient
from urllib3.exceptions import HTTPError

from runtime.docker.engine import Engine
from runtime.docker.execution import output_of
from runtime.failure import EngineError, MissingError, StepError

CHUNK = 1024 * 1024
STAT_HEADER = "X-Docker-Container-Path-Stat"
FOLDER_IN_FOLDER = 2
"""Parts of the name of a folder directly in the folder that was asked for."""


@dataclass(frozen=True)
class FileFrom:
    """A file here without its first bytes."""

    file: Path
    begins_at: int

    @property
    def size(self) -> int:
        """Bytes that are sent."""
        return self.file.stat().st_size - self.begins_at


Content = bytes | Path | FileFrom
"""What to put into a file: bytes, or a file here that is read while it is sent."""


def size_of(engine: Engine, container: str, path: str) -> int | None:
    """Bytes of a file in the container; None when nothing is at that path."""
    stat = stat_of(engine, container, path)
    return None if stat is None else int(stat["size"])


def stat_of(engine: Engine, container: str, path: str) -> dict[str, Any] | None:
    """Name, size, mode and time of a file in the container; None when nothing is at that path."""
    with engine.calls() as api:
        # The SDK has no call for this one; its `get_archive` begins to send the content too.
        response = api.head(_url(api, container), params={"path": path}, timeout=api.timeout)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        response.raise_for_status()
    found: dict[str, Any] = json.loads(base64.b64decode(response.headers[STAT_HEADER]))
    return found


def read_files(engine: Engine, container: str, path: str) -> dict[str, bytes] | None:
    """Every file at or below a path, by its name from the path's own last part on."""
    try:
        with engine.calls() as api:
            # The SDK's call waits on a lost connection for ever.
            response = api.get(
                _url(api, container),
                params={"path": path},
                headers={"Accept-Encoding": "identity"},
                timeout=api.timeout,
            )
            response.raise_for_status()
            content = response.content
    except MissingError:
        return None
    try:
        return _members(content)
    except tarfile.TarError as error:
        raise StepError(f"cannot read {path} out of container {container}: {error}") from error


def read_running(engine: Engine, container: str, paths: Sequence[str]) -> dict[str, bytes] | None:
    """The files of a running container that are there, by path, at the price of one call.

    Every archive call is a process that the engine starts. None when `tar` cannot run there.
    """
    command = ["tar", "-cPf", "-", "--ignore-failed-read", "--", *paths]
    try:
        return _members(output_of(engine, container, command))
    except (EngineError, tarfile.TarError):
        return None


def folder_times(engine: Engine, container: str, path: str) -> dict[str, float]:
    """The folders directly in a folder, with their time of change in seconds; empty when it is not
    there. What lies in them is sent too: for folders of links and small files.
    """
    try:
        with engine.calls() as api:
            pieces, _ = api.get_archive(container, path)
            content = b"".join(pieces)
    except MissingError:
        return {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        return {
            PurePosixPath(member.name).name: member.mtime
            for member in archive
            if member.isdir() and len(PurePosixPath(member.name).parts) == FOLDER_IN_FOLDER
        }


def read_file(engine: Engine, container: str, path: str) -> bytes | None:
    """The content of one file; None when there is none."""
    files = read_files(engine, container, path)
    return None if files is None else files.get(PurePosixPath(path).name)


def read_json(engine: Engine, container: str, path: str) -> dict[str, Any] | None:
    """The object in a JSON file; None when there is none or it was cut off half-way."""
    content = read_file(engine, container, path)
    try:
        found = None if content is None else json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


@contextmanager
def streamed(engine: Engine, container: str, path: str) -> Iterator[IO[bytes]]:
    """One file of any size, read as it comes.

    Raises `StepError` where it is gone, or breaks off: also to whom reads of it.
    """
    with engine.calls() as api:
        response = api.get(
            _url(api, container),
            params={"path": path},
            headers={"Accept-Encoding": "identity"},
            timeout=api.timeout,
            stream=True,
        )
        response.raise_for_status()
    sent = cast("IO[bytes]", _Unbroken(response.raw, path))
    with response, tarfile.open(fileobj=sent, mode="r|", bufsize=CHUNK) as archive:
        member = archive.next()
        file = None if member is None else archive.extractfile(member)
        if file is None:
            raise StepError(f"{path} of container {container} is no file")
        yield file


class _Unbroken:
    """What the engine sends, whose failures are its own whoever reads."""

    def __init__(self, raw: Any, path: str) -> None:
        self._raw, self._path = raw, path

    def read(self, count: int) -> bytes:
        try:
            content: bytes = self._raw.read(count)
        except (HTTPError, OSError) as error:
            raise StepError(
                f"the engine broke off while it sent {self._path} ({error}). Run again"
            ) from error
        return content


def put_files(
    engine: Engine,
    container: str,
    root: str,
    files: Mapping[str, Content],
    *,
    folder: str | None = None,
) -> None:
    """Write files below `root`, which must be there; folders between are made, and `folder`.

    What lies there beside them stays. A file of any size is sent while it is read.
    """
    with engine.calls() as api:
        api.put_archive(container, root, tar_stream(files, folder=folder))


def _url(api: APIClient, container: str) -> str:
    return f"{api.base_url}/v{api.api_version}/containers/{container}/archive"


def _members(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        return {
            member.name: file.read()
            for member in archive
            if (file := archive.extractfile(member)) is not None
        }


def tar_stream(files: Mapping[str, Content], *, folder: str | None = None) -> Iterator[bytes]:
    """A tar archive of these files, in pieces, with the folders that they need."""
    for needed in _folders([*files, f"{folder}/_"] if folder else files):
        yield _header(needed, 0, is_folder=True)
    for name, content in files.items():
        if isinstance(content, bytes):
            yield _header(name, len(content))
            yield content
            size = len(content)
        else:
            source = content if isinstance(content, FileFrom) else FileFrom(content, 0)
            size = source.size
            yield _header(name, size)
            yield from _pieces(source, size)
        yield bytes(-size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _folders(names: Iterable[str]) -> list[str]:
    parents = {
        str(parent)
        for name in names
        for parent in PurePosixPath(name).parents
        if parent != PurePosixPath()
    }
    return sorted(parents)


def _header(name: str, size: int, *, is_folder: bool = False) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o755 if is_folder else 0o644
    entry.type = tarfile.DIRTYPE if is_folder else tarfile.REGTYPE
    return entry.tobuf(tarfile.PAX_FORMAT)


def _pieces(content: FileFrom, size: int) -> Iterator[bytes]:
    file, left = content.file, size
    with file.open("rb") as source:
        if not stat.S_ISREG(file.stat().st_mode):
            raise StepError(f"{file} is not a regular file; give a file that can be read")
        source.seek(content.begins_at)
        while left and (piece := source.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece
    if left:
        raise StepError(f"{file} became shorter while it was sent. Leave it alone and run again")
