"""The archive of a bundle: what is written is read back, and one wrong byte is found (O6)."""

import io
import json
import platform
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from toolchain.bundle import unbundle
from toolchain.bundle.archive import ArchiveWriter
from toolchain.bundle.unbundle import UnbundleError, checked_manifest, judge_host, place_files

FACTS: dict[str, Any] = {
    "format": unbundle.FORMAT,
    "stack": "away",
    "commit": "c0ffee",
    "machine": platform.machine(),
    "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    "images": {},
}
CONTENT = b"print('here')\n" * 1000


def layer() -> io.BytesIO:
    """What an engine saves: a file, and a link to it in another image."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo("one/layer.tar")
        member.size = 5
        tar.addfile(member, io.BytesIO(b"layer"))
        link = tarfile.TarInfo("two/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../one/layer.tar"
        tar.addfile(link)
    stream.seek(0)
    return stream


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    program = source / "program.py"
    program.write_bytes(CONTENT)
    program.chmod(0o755)
    # A package manager links files of its cache: each name is a file all the same.
    (source / "same.py").hardlink_to(program)
    file = tmp_path / "away.tar"
    with file.open("wb") as stream:
        writer = ArchiveWriter(stream)
        writer.add_files("project", source, sorted(source.iterdir()))
        writer.add_bytes("packages/thing/__init__.py", b"")
        writer.add_bytes("cache/cli/v1/pulumi", b"#!")
        writer.add_tar("images", layer())
        writer.finish(FACTS)
    return file


def at(bundle: Path, name: str) -> int:
    """Where the content of a member begins."""
    with tarfile.open(bundle) as tar:
        return tar.getmember(name).offset_data


def test_what_was_packed_is_unpacked_in_its_place(bundle: Path, tmp_path: Path) -> None:
    manifest = checked_manifest(bundle)
    folder, tools = tmp_path / "there", tmp_path / "tools"
    place_files(bundle, manifest, folder, tools)
    for name in ("program.py", "same.py"):
        assert (folder / name).read_bytes() == CONTENT
        assert (folder / name).stat().st_mode & 0o777 == 0o755
    assert (tools / "cli/v1/pulumi").read_bytes() == b"#!"
    packages = folder / ".venv/lib" / f"python{FACTS['python']}" / "site-packages"
    assert (packages / "thing/__init__.py").is_file()
    assert not (folder / "images").exists()


def test_the_engine_gets_the_tar_that_it_has_saved(bundle: Path) -> None:
    sent = io.BytesIO(b"".join(unbundle.pieces_of_images(bundle)))
    with tarfile.open(fileobj=sent) as tar:
        file = tar.extractfile("two/layer.tar")
        assert tar.getnames() == ["one/layer.tar", "two/layer.tar"]
        assert file is not None
        assert file.read() == b"layer"


@pytest.mark.parametrize(
    "member",
    [
        *("project/program.py", "cache/cli/v1/pulumi", "images/one/layer.tar"),
        *(unbundle.MANIFEST, unbundle.MANIFEST_SUM),
    ],
)
def test_one_wrong_byte_is_found(bundle: Path, member: str) -> None:
    content = bytearray(bundle.read_bytes())
    content[at(bundle, member)] ^= 1
    bundle.write_bytes(content)
    with pytest.raises(UnbundleError, match="is damaged") as caught:
        checked_manifest(bundle)
    if member.partition("/")[1]:
        assert member in str(caught.value)


def test_an_archive_that_ends_early_is_refused(bundle: Path) -> None:
    whole = bundle.read_bytes()
    for share in (0.1, 0.5, 0.9):
        bundle.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(UnbundleError, match="again"):
            checked_manifest(bundle)


def test_a_member_that_was_added_is_refused(bundle: Path) -> None:
    with tarfile.open(bundle, "a") as tar:
        tar.addfile(tarfile.TarInfo("project/intruder.py"), io.BytesIO())
    with pytest.raises(UnbundleError, match="intruder"):
        checked_manifest(bundle)


def test_a_host_of_another_kind_is_refused() -> None:
    with pytest.raises(UnbundleError, match="for riscv128, and this host is"):
        judge_host({**FACTS, "machine": "riscv128"})
    with pytest.raises(UnbundleError, match=r"no python3\.999 on PATH"):
        judge_host({**FACTS, "python": "3.999"})
    judge_host(FACTS)


def test_a_bundle_of_a_later_format_says_so(tmp_path: Path) -> None:
    file = tmp_path / "later.tar"
    with file.open("wb") as stream:
        ArchiveWriter(stream).finish({**FACTS, "format": 99})
    with pytest.raises(UnbundleError, match="format 99"):
        checked_manifest(file)


def test_nothing_that_is_there_is_written_over(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UnbundleError, match="is there already"):
        unbundle.unbundle(bundle, tmp_path)


def test_a_damaged_bundle_leaves_nothing_behind(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(bundle.read_bytes())
    content[at(bundle, "project/same.py")] ^= 1
    bundle.write_bytes(content)
    before = {*tmp_path.iterdir()}
    with pytest.raises(UnbundleError):
        unbundle.unbundle(bundle, tmp_path / "there")
    assert {*tmp_path.iterdir()} == before
    assert "Checking every sum" in capsys.readouterr().out


def test_the_manifest_names_every_member(bundle: Path) -> None:
    with tarfile.open(bundle) as tar:
        manifest = tar.extractfile(unbundle.MANIFEST)
        assert manifest is not None
        members = json.load(manifest)["members"]
        assert [*members, unbundle.MANIFEST, unbundle.MANIFEST_SUM] == tar.getnames()
