"""A build's context: which files it has, their digest, and the archive for the engine.

The digest is the official one (`hashContext` in pulumi-docker's `provider/provider.go`), so that
state made by either plugin is not rebuilt by the other: over the Dockerfile under the fixed name
`Dockerfile`, then every file in lexical order, each with its path, mode and content's SHA-256.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from toolchain.offline.plugins.docker_plugin.ignore_rules import IgnoreRules
from toolchain.offline.plugins.errors import PluginError

_OUTSIDE_NAME: Final = ".dockerfile.outside-of-context"
# Go's zero file mode, which is what the official plugin gives the Dockerfile.
_NO_MODE: Final = "----------"
_IN_MEMORY_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True)
class BuildContext:
    """A folder and the Dockerfile that builds it; both paths as the program gave them."""

    folder: Path
    dockerfile: Path

    @classmethod
    def of(cls, build: Mapping[str, Any]) -> BuildContext:
        """The context of an image's `build` input; paths are seen from the program's folder."""
        return cls(Path(build["context"]), Path(build["dockerfile"]))

    def check(self) -> None:
        """Make sure that there is something to build, with the official plugin's advice."""
        if self.dockerfile.is_file():
            return
        message = f"could not open dockerfile at relative path {str(self.dockerfile)!r}"
        if not self.dockerfile.is_absolute() and (self.folder / self.dockerfile).is_file():
            message += f". Try setting `dockerfile` to {str(self.folder / self.dockerfile)!r}"
        raise PluginError(message)

    def digest(self) -> str:
        """The digest that tells whether anything in the build has changed."""
        total = hashlib.sha256()
        total.update(_entry("Dockerfile", _NO_MODE, self.dockerfile.read_bytes()))
        for path, name in self._paths(IgnoreRules.load(self.folder, self.dockerfile)):
            if path.is_symlink():
                content = os.path.relpath(path.resolve(strict=True)).encode()
            elif path.is_dir():
                continue
            else:
                content = path.read_bytes() if path.is_file() else b""
            total.update(_entry(name, _go_mode(path.lstat().st_mode), content))
        return total.hexdigest()

    def archive(self) -> tuple[IO[bytes], str]:
        """The context for the engine, owned by root, and the Dockerfile's name in it."""
        name_in_context = self.relative_dockerfile()
        is_outside = name_in_context.startswith("..")
        kept = frozenset({name_in_context, ".dockerignore"})
        packed = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - returned open
        rules = IgnoreRules.load(self.folder, self.dockerfile)
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
            # BuildKit takes the data for a bare Dockerfile unless it begins with a plain header;
            # a long name or a fractional time in the first entry would put another before it.
            root = tarfile.TarInfo(".")
            root.type, root.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(root)
            for path, name in self._paths(rules, kept):
                archive.add(path, name, recursive=False, filter=_owned_by_root)
            if is_outside:
                archive.add(self.dockerfile, _OUTSIDE_NAME, filter=_owned_by_root)
        packed.seek(0)
        return packed, _OUTSIDE_NAME if is_outside else name_in_context

    def relative_dockerfile(self) -> str:
        """The Dockerfile seen from the context, as the `dockerfile` output has it."""
        return os.path.relpath(self.dockerfile.resolve(), self.folder.resolve())

    def _paths(
        self, rules: IgnoreRules, kept: frozenset[str] = frozenset()
    ) -> Iterator[tuple[Path, str]]:
        """What is not ignored, folders included, each folder's entries in lexical order."""

        def walk(folder: Path, prefix: str) -> Iterator[tuple[Path, str]]:
            for path in sorted(folder.iterdir(), key=lambda path: path.name.encode()):
                name = prefix + path.name
                # A rule further on may take something back that lies in an ignored folder.
                if name in kept or not rules.ignores(name):
                    yield path, name
                if path.is_dir() and not path.is_symlink():
                    yield from walk(path, f"{name}/")

        yield from walk(self.folder, "")


def _entry(name: str, mode: str, content: bytes) -> bytes:
    return name.encode() + mode.encode() + hashlib.sha256(content).digest() + b"\0"


def _go_mode(mode: int) -> str:
    """A file's mode as Go's `fs.FileMode` prints it."""
    letters = ""
    for is_set, letter in (
        (stat.S_ISLNK(mode), "L"),
        (stat.S_ISFIFO(mode), "p"),
        (stat.S_ISSOCK(mode), "S"),
        (mode & stat.S_ISUID, "u"),
        (mode & stat.S_ISGID, "g"),
        (mode & stat.S_ISVTX, "t"),
    ):
        letters += letter if is_set else ""
    permissions = stat.filemode(stat.S_IMODE(mode) & 0o777)[1:]
    return (letters or "-") + permissions


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = int(entry.mtime)
    return entry
