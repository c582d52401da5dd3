"""The program that removes from the volumes of a stack."""

from pathlib import Path

import pytest

from plan.codec import encode
from plan.removal import DoomedFolder, Removal
from tests.images.conftest import load_program

remove = load_program(Path(__file__).parents[2] / "in_container/remove.py")


def folder(path: Path) -> Path:
    (path / "checkpoint-1").mkdir(parents=True)
    (path / "complete.json").write_text("{}")
    (path / "checkpoint-1" / "weights").write_bytes(b"\0" * 100)
    return path


def removed(place: Path, *doomed: Path) -> None:
    """As the host has it: the request is a file."""
    request = Removal(folders=tuple(DoomedFolder(path=str(each)) for each in doomed))
    (place / "request.json").write_text(encode(request))
    remove.main([str(place / "request.json")])
    (place / "request.json").unlink()


def test_what_is_named_goes_and_all_else_stays(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first, second, third = (folder(runs / name) for name in ("a", "ab", "c.partial"))
    removed(tmp_path, first, third)
    assert list(runs.iterdir()) == [second]
    assert (second / "checkpoint-1/weights").stat().st_size == 100


def test_a_folder_that_is_gone_is_none_to_remove(tmp_path: Path) -> None:
    removed(tmp_path, tmp_path / "runs/gone")
    assert list(tmp_path.iterdir()) == []


def test_media_are_no_longer_complete_when_the_first_of_them_goes(tmp_path: Path) -> None:
    media = folder(tmp_path / "media/0123")
    complete = tmp_path / "media/0123.complete"
    complete.touch()
    removed(tmp_path, media)
    assert list((tmp_path / "media").iterdir()) == []


def test_a_removal_that_breaks_off_leaves_nothing_that_looks_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed = folder(tmp_path / "runs/a")
    with monkeypatch.context() as broken:
        broken.setattr(remove.shutil, "rmtree", lambda _: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            removed(tmp_path, doomed)
    rest = tmp_path / "runs/a.removed"
    assert list((tmp_path / "runs").iterdir()) == [rest]
    # The next look finds the rest by that name.
    (tmp_path / "request.json").unlink()
    removed(tmp_path, rest)
    assert list((tmp_path / "runs").iterdir()) == []


def test_one_that_was_made_again_goes_with_the_rest_of_the_earlier(tmp_path: Path) -> None:
    folder(tmp_path / "runs/a.removed")
    removed(tmp_path, folder(tmp_path / "runs/a"))
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_link_goes_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    outside = folder(tmp_path / "outside")
    doomed = folder(tmp_path / "runs/a")
    (doomed / "link").symlink_to(outside)
    removed(tmp_path, doomed)
    assert (outside / "complete.json").exists()
