"""Artefacts against their sums: what is damaged is set aside, what is whole stays."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from plan import paths
from plan.codec import decode, encode
from plan.damage import DamageReport, DamageRequest, SummedArtefact
from planning.step import then_complete
from tests.images.conftest import load_program

find_damage = load_program(Path(__file__).parents[2] / "in_container/find_damage.py")

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Leaves an artefact as a step does: files by name."""

    def leave(files: dict[str, str], *, identity: str = "abc", known: str | None = None) -> Path:
        volume = PurePosixPath(tmp_path)
        folder = Path(paths.partial(identity, volume))
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        (folder / paths.MARKER).write_text("{}")
        command = then_complete(identity, "true", volume=volume, known_sums=known)
        subprocess.run(command, check=True)
        return Path(paths.artefact(identity, volume))

    return leave


def look(tmp_path: Path, *folders: Path, **asked: Any) -> DamageReport:
    """What the program says of artefacts."""
    artefacts = tuple(
        SummedArtefact(folder=str(folder), **{"has_sums": True, **asked}) for folder in folders
    )
    request, report = tmp_path / "request.json", tmp_path / "report.json"
    request.write_text(encode(DamageRequest(artefacts=artefacts)))
    find_damage.main([str(request), str(report)])
    return decode(DamageReport, report.read_text())


def flip(file: Path) -> None:
    """Another bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_what_is_whole_stays(tmp_path: Path, make: Make) -> None:
    folder = make({"weights": "1234", "deep/more": "5"})
    # Whatever came since is nobody's damage.
    (folder / "later").write_text("?")
    before = sorted(path.name for path in folder.rglob("*"))
    assert look(tmp_path, folder) == DamageReport(bytes=5)
    assert sorted(path.name for path in folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        (flip, find_damage.OTHER),
        (lambda file: file.write_text("12"), find_damage.OTHER),
        (lambda file: file.write_text(""), find_damage.OTHER),
        (lambda file: file.unlink(), find_damage.GONE),
    ],
)
def test_what_is_damaged_is_one_that_is_being_made(
    tmp_path: Path, make: Make, harm: Callable[[Path], None], fault: str
) -> None:
    folder, other = make({"good": "1", "weights": "1234"}), make({"a": "b"}, identity="other")
    harm(folder / "weights")
    assert look(tmp_path, folder, other).damaged == {str(folder): f"weights {fault}"}
    assert not folder.exists()
    assert other.exists()
    partial = Path(f"{folder}{paths.PARTIAL}")
    assert (partial / "good").exists()
    assert not (partial / "weights").exists()


def test_a_training_keeps_the_checkpoints_that_are_whole(tmp_path: Path, make: Make) -> None:
    names = ["adapter", "checkpoint-20/adapter", "checkpoint-40/adapter", "checkpoint-40/optimizer"]
    folder = make({name: name for name in names})
    flip(folder / "checkpoint-40/optimizer")
    # Nothing reads it: the adapter is as it was.
    assert look(tmp_path, folder).damaged == {}
    flip(folder / "adapter")
    assert look(tmp_path, folder).damaged == {str(folder): f"adapter {find_damage.OTHER}"}
    partial = Path(f"{folder}{paths.PARTIAL}")
    assert [path.name for path in partial.glob("checkpoint-*")] == ["checkpoint-20"]


def test_one_that_is_made_again_already_leaves_that_alone(tmp_path: Path, make: Make) -> None:
    folder = make({"weights": "1234"})
    partial = Path(f"{folder}{paths.PARTIAL}")
    partial.mkdir()
    (partial / "begun").touch()
    flip(folder / "weights")
    assert look(tmp_path, folder).damaged
    assert not folder.exists()
    assert [path.name for path in partial.iterdir()] == ["begun"]


def test_only_what_is_read_counts(tmp_path: Path, make: Make) -> None:
    folder = make({"encoding.json": "{}", "weights": "1234"})
    flip(folder / "weights")
    wanted = (str(folder / "encoding.json"),)
    assert look(tmp_path, folder, files=wanted) == DamageReport(bytes=2)
    flip(folder / "encoding.json")
    assert look(tmp_path, folder, files=wanted).damaged
    # Both are made again: there is no artefact without one of them.
    assert not (Path(f"{folder}{paths.PARTIAL}") / "weights").exists()


@pytest.mark.parametrize(
    "harm", [flip, lambda file: file.unlink(), lambda file: file.write_text("")]
)
def test_of_one_without_its_sums_nothing_is_known(
    tmp_path: Path, make: Make, harm: Callable[[Path], None]
) -> None:
    folder = make({"checkpoint-20/adapter": "1"})
    sums = folder / paths.SUMS
    sums.write_text("\n".join(sums.read_text().splitlines()[:-1]))
    harm(sums)
    assert look(tmp_path, folder).damaged == {str(folder): find_damage.NO_SUMS}
    assert list(folder.parent.iterdir()) == []


def test_one_of_an_earlier_version_is_accepted(tmp_path: Path, make: Make) -> None:
    folder = make({"weights": "1"})
    (folder / paths.SUMS).unlink()
    assert look(tmp_path, folder, has_sums=False) == DamageReport(bytes=0)
    assert folder.exists()


def test_of_a_hubs_model_the_files_in_the_cache_count(tmp_path: Path, make: Make) -> None:
    blob, link = tmp_path / "hub/blobs/b1", tmp_path / "hub/snapshots/c1/weights"
    blob.parent.mkdir(parents=True)
    blob.write_text("fetched")
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    digest = find_damage.hashlib.sha256(b"fetched").hexdigest()
    folder = make({"known": f"{digest}  {link}\n", "fetched.json": "{}"}, known="known")
    assert look(tmp_path, folder).damaged == {}
    flip(blob)
    assert look(tmp_path, folder).damaged == {str(folder): f"{link} {find_damage.OTHER}"}
    # The hub's client fetches what is not there.
    assert not link.is_symlink()
    assert not blob.exists()


def test_names_are_read_as_sha256sum_writes_them(tmp_path: Path, make: Make) -> None:
    odd = ["two\nlines", "back\\slash", "a  b", "\\n", "a\u2028b"]
    folder = make({name: name for name in odd})
    sums = find_damage.read_sums(folder, paths.SUMS, paths.SUMS_END)
    assert {path.name for path in sums} == set(odd)
    assert look(tmp_path, folder).damaged == {}


def test_an_artefact_that_went_meanwhile_is_not_damaged(tmp_path: Path) -> None:
    assert look(tmp_path, tmp_path / "gone") == DamageReport(bytes=0)
    assert json.loads((tmp_path / "report.json").read_text())["damaged"] == {}
