"""What was found is remembered: an unchanged file is not read again (D6)."""

import json
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plan.identity import file_digest, tree_digest
from stack_configs.settings.data_files import record
from stack_configs.settings.data_files.check import Findings, check_data
from stack_configs.settings.data_files.failure import DataFileError
from stack_configs.settings.data_files.layout import Layout

ALPACA = Layout(prompt="instruction", query="input", response="output")
LONG_AGO = 1_600_000_000
Look = Callable[..., Findings]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def data(tmp_path: Path, cache: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    write(path, "a")
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The data sets that were read, in order."""
    seen: list[Path] = []

    def check(path: Path, layout: Layout, **given: Any) -> Findings:
        seen.append(path)
        return check_data(path, layout, **given)

    monkeypatch.setattr(record, "check_data", check)
    return seen


def write(path: Path, answer: str, at: int = LONG_AGO) -> None:
    path.write_text(json.dumps({"instruction": "q", "output": answer}) + "\n")
    os.utime(path, (at, at))


def replace_with(path: Path, answer: str) -> None:
    new = path.with_suffix(".new")
    write(new, answer)
    new.replace(path)


def find(path: Path, layout: Layout = ALPACA) -> Findings:
    return record.find(
        path, layout, media_folder=path.parent / "media", records=path.parent / "cache"
    )


def records(cache: Path) -> list[Path]:
    return list(cache.iterdir())


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HOME": "/home/u"}, Path("/home/u/.cache/finetune-stack/data-files")),
        ({"HOME": "/home/u", "XDG_CACHE_HOME": "/c"}, Path("/c/finetune-stack/data-files")),
        (
            {"HOME": "/home/u", "XDG_CACHE_HOME": ""},
            Path("/home/u/.cache/finetune-stack/data-files"),
        ),
        ({}, None),
    ],
)
def test_where_records_lie(environment: dict[str, str], folder: Path | None) -> None:
    assert record.records_folder(environment) == folder


def test_nothing_is_remembered_unless_asked_for(data: Path, reads: list[Path]) -> None:
    for _ in range(2):
        record.find(data, ALPACA, media_folder=data.parent)
    assert reads == [data, data]


def test_an_unchanged_file_is_read_once(data: Path, reads: list[Path]) -> None:
    assert find(data) == find(data) == check_data(data, ALPACA, media_folder=data)
    assert reads == [data]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: write(path, "longer"),
        lambda path: write(path, "b", LONG_AGO + 1),
        # Size and time say nothing here; the inode and its own time do.
        lambda path: write(path, "b"),
        lambda path: replace_with(path, "b"),
    ],
    ids=["size", "time", "kept time", "replaced"],
)
def test_a_changed_file_is_read_again(
    data: Path, reads: list[Path], change: Callable[[Path], object]
) -> None:
    before = find(data)
    change(data)
    assert find(data).digest != before.digest
    assert reads == [data, data]


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "output"},
        {"response": None},
        {"declared": ("output",)},
        {"tags": replace(ALPACA.tags, role="role")},
    ],
)
def test_other_settings_are_another_check(
    data: Path, reads: list[Path], changes: dict[str, Any]
) -> None:
    find(data)
    find(data, replace(ALPACA, **changes))
    assert reads == [data, data]
    find(data)
    assert reads == [data, data]


def test_another_version_of_the_checks_reads_again(
    data: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    find(data)
    monkeypatch.setattr(record, "VERSION", record.VERSION + 1)
    find(data)
    assert reads == [data, data]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[]", b"{}", b'{"data": 3}', None], ids=repr
)
def test_a_broken_record_is_made_again(
    cache: Path, data: Path, reads: list[Path], content: bytes | None
) -> None:
    good = find(data)
    (place,) = records(cache)
    half = place.read_bytes()[:-20]
    place.write_bytes(half if content is None else content)
    assert find(data) == good
    assert reads == [data, data]
    assert find(data) == good
    assert reads == [data, data]


def test_a_record_is_relied_on_when_it_is_younger_than_its_files(
    data: Path, reads: list[Path], cache: Path
) -> None:
    # Written a moment ago: a second change in the same moment might not show.
    os.utime(data)
    find(data)
    find(data)
    assert reads == [data, data]
    (place,) = records(cache)
    later = place.stat().st_mtime_ns + 2 * record.SETTLED_NS
    os.utime(place, ns=(later, later))
    find(data)
    assert reads == [data, data]


def test_nothing_is_remembered_of_what_is_wrong(data: Path, reads: list[Path], cache: Path) -> None:
    write(data, "")
    for _ in range(2):
        with pytest.raises(DataFileError):
            find(data)
    assert reads == [data, data]
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_costs_time_alone(
    data: Path, reads: list[Path], cache: Path
) -> None:
    cache.write_text("a file in its place")
    assert find(data) == find(data)
    assert reads == [data, data]


def test_a_file_that_cannot_be_opened(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Findings:
        raise PermissionError(13, "Permission denied", str(data))

    monkeypatch.setattr(record, "check_data", refuse)
    with pytest.raises(DataFileError, match=r"cannot be read .*Permission denied"):
        find(data)


def test_a_folder_is_read_again_when_a_file_joins_it(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "a.jsonl", "a")
    before = find(folder)
    write(folder / "b.jsonl", "b")
    after = find(folder)
    assert (before.rows, after.rows) == (1, 2)


class TestMedia:
    LAYOUT = replace(ALPACA, media=(("<image>", "images"),))

    @pytest.fixture
    def data(self, tmp_path: Path, cache: Path) -> Path:
        (tmp_path / "media").mkdir()
        for name in ("a", "b"):
            self.picture(tmp_path / "media" / name, name)
        path = tmp_path / "rows.jsonl"
        row = {"instruction": "<image>", "output": "b", "images": ["a"]}
        path.write_text(json.dumps(row))
        os.utime(path, (LONG_AGO, LONG_AGO))
        return path

    def picture(self, path: Path, content: str) -> None:
        path.write_text(content)
        os.utime(path, (LONG_AGO, LONG_AGO))

    def test_the_digest_is_of_the_whole_folder(self, data: Path) -> None:
        # What the registration compares before it sends the folder.
        assert find(data, self.LAYOUT).media == tree_digest(data.parent / "media")

    def test_a_changed_picture_alone_is_read_again(
        self, data: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = find(data, self.LAYOUT)
        digested: list[str] = []

        def digest(path: Path) -> str:
            digested.append(path.name)
            return file_digest(path)

        monkeypatch.setattr(record, "file_digest", digest)
        self.picture(data.parent / "media/b", "other")
        after = find(data, self.LAYOUT)
        assert (digested, reads) == (["b"], [data])
        assert after.media not in (None, before.media)
        assert find(data, self.LAYOUT) == after
        assert digested == ["b"]

    def test_rows_are_checked_again_when_a_picture_goes(self, data: Path) -> None:
        find(data, self.LAYOUT)
        (data.parent / "media/a").unlink()
        with pytest.raises(DataFileError, match="'a' in column 'images'"):
            find(data, self.LAYOUT)


def find_often(path: Path, failures: Any) -> None:
    for _ in range(200):
        try:
            assert find(path).rows == 1
        except Exception as error:
            failures.put(repr(error))
            return


def test_two_at_once(data: Path, cache: Path) -> None:
    context = multiprocessing.get_context("fork")
    failures = context.Queue()
    others = [context.Process(target=find_often, args=(data, failures)) for _ in range(3)]
    for other in others:
        other.start()
    for _ in range(100):
        for place in cache.rglob("*.json"):
            place.unlink(missing_ok=True)
    for other in others:
        other.join(60)
    assert [other.exitcode for other in others] == [0, 0, 0]
    assert failures.empty()
    find(data)
    assert [place.suffix for place in records(cache)] == [".json"]
