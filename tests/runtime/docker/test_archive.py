"""Archives: what is sent to an engine, piece by piece."""

import io
import tarfile
from pathlib import Path

import pytest

from runtime.docker.archive import CHUNK, FileFrom, tar_stream
from runtime.failure import StepError


def members(content: bytes) -> dict[str, bytes | None]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {
            member.name: file.read() if (file := archive.extractfile(member)) else None
            for member in archive
        }


def test_files_come_with_the_folders_that_they_need():
    content = b"".join(tar_stream({"a/b/c.txt": b"hello", "top": b""}))
    assert members(content) == {"a": None, "a/b": None, "a/b/c.txt": b"hello", "top": b""}
    assert len(content) % tarfile.BLOCKSIZE == 0


def test_a_folder_can_come_alone():
    assert members(b"".join(tar_stream({}, folder="runs/f1.partial"))) == {
        "runs": None,
        "runs/f1.partial": None,
    }


def test_a_long_name_is_kept():
    name = f"{'folder/' * 20}{'ä' * 120}.json"
    assert members(b"".join(tar_stream({name: b"x"})))[name] == b"x"


def test_a_large_file_is_read_in_pieces(tmp_path: Path):
    file = tmp_path / "large"
    file.write_bytes(bytes(3 * CHUNK + 5))
    pieces = list(tar_stream({"large": file}))
    assert max(len(piece) for piece in pieces) <= CHUNK
    assert members(b"".join(pieces))["large"] == file.read_bytes()


def test_a_file_that_shrinks_while_it_is_sent_is_an_error(tmp_path: Path):
    file = tmp_path / "shrinking"
    file.write_bytes(bytes(3 * CHUNK))
    stream = tar_stream({"shrinking": file})
    next(stream)
    next(stream)
    file.write_bytes(b"")
    with pytest.raises(StepError, match="became shorter"):
        list(stream)


def test_a_file_is_sent_from_where_it_is_to_begin(tmp_path: Path) -> None:
    file = tmp_path / "marked.json"
    file.write_bytes(b"\xef\xbb\xbf" + b"x" * CHUNK)
    sent = members(b"".join(tar_stream({"a.json": FileFrom(file, 3)})))
    assert sent["a.json"] == b"x" * CHUNK
