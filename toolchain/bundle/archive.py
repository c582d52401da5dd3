"""The archive: a tar of members, and at its end the manifest with the sum of each."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from toolchain.bundle.unbundle import MANIFEST, MANIFEST_SUM, described


class ArchiveWriter:
    """Writes one member after the other; what is written is never read again."""

    def __init__(self, target: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed by `finish`
        self._members: dict[str, dict[str, Any]] = {}

    def add_bytes(self, name: str, content: bytes) -> None:
        """Add a file of this content."""
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o644
        self._add(member, io.BytesIO(content))

    def add_file(self, name: str, path: Path) -> None:
        """Add a file as it is, or the link that it is; of no owner and no time."""
        member = self._tar.gettarinfo(path, name)
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        if member.islnk():
            # Another name of a file that is in the archive: here it is one of its own.
            member.type, member.linkname = tarfile.REGTYPE, ""
            member.size = path.stat().st_size
        if not member.isreg():
            self._add(member, None)
            return
        with path.open("rb") as source:
            self._add(member, source)

    def add_files(self, prefix: str, folder: Path, files: Iterable[Path]) -> None:
        """Add files of a folder under another name for that folder."""
        for path in files:
            self.add_file(f"{prefix}/{path.relative_to(folder).as_posix()}", path)

    def add_tar(self, prefix: str, stream: IO[bytes]) -> None:
        """Add each member of a tar as one of this archive, while it is read."""
        with tarfile.open(fileobj=stream, mode="r|") as source:
            for member in source:
                content = source.extractfile(member) if member.isreg() else None
                member.name = f"{prefix}/{member.name}"
                if member.islnk():
                    member.linkname = f"{prefix}/{member.linkname}"
                self._add(member, content)

    def finish(self, facts: Mapping[str, Any]) -> str:
        """Write the manifest and close; the manifest's sum."""
        manifest = json.dumps({**facts, "members": self._members}, indent=1).encode()
        total = hashlib.sha256(manifest).hexdigest()
        self.add_bytes(MANIFEST, manifest)
        self.add_bytes(MANIFEST_SUM, f"{total}\n".encode())
        self._tar.close()
        return total

    def _add(self, member: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        reader = None if content is None else _Summed(content)
        self._tar.addfile(member, reader)  # it only reads
        self._members[member.name] = described(member, reader.digest() if reader else "")


class _Summed:
    """A file whose sum is known once it was read."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source, self._sum = source, hashlib.sha256()

    def read(self, count: int = -1) -> bytes:
        piece = self._source.read(count)
        self._sum.update(piece)
        return piece

    def digest(self) -> str:
        return self._sum.hexdigest()
