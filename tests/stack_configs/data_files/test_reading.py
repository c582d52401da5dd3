"""Data files as streams: the same rows as whole files, and the place of what is wrong (D5, D6)."""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack_configs.settings.data_files import json_array, json_lines, reading
from stack_configs.settings.data_files.failure import DataFileError
from stack_configs.settings.data_files.reading import DigestedFile, read_batches

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
rows_of_any_kind = st.lists(st.dictionaries(st.text(max_size=8), values), min_size=1)


def read(path: Path) -> list[Any]:
    with DigestedFile(path) as file:
        _, batches = read_batches(file, path.suffix)
        return [row for batch in batches for _, row in batch]


def numbered(path: Path) -> tuple[str, list[int]]:
    with DigestedFile(path) as file:
        unit, batches = read_batches(file, path.suffix)
        return unit, [number for batch in batches for number, _ in batch]


def failure_of(path: Path) -> str:
    with pytest.raises(DataFileError) as caught:
        read(path)
    return caught.value.rule


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Files are read in pieces of a few bytes: each seam falls everywhere."""

    def make(size: int) -> None:
        monkeypatch.setattr(json_array, "CHUNK", size)
        monkeypatch.setattr(json_lines, "BATCH", size)
        monkeypatch.setattr(reading, "BUFFER", size)

    return make


class TestJsonList:
    @given(rows=rows_of_any_kind, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
    def test_it_is_what_json_makes_of_the_whole_file(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        rows: list[Any],
        ascii_only: bool,
        indent: int | None,
    ) -> None:
        path = tmp_path_factory.mktemp("rows") / "rows.json"
        path.write_text(json.dumps(rows, ensure_ascii=ascii_only, indent=indent), encoding="utf-8")
        assert read(path) == rows
        assert numbered(path) == ("row", list(range(1, len(rows) + 1)))

    @pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 16, 64])
    @pytest.mark.parametrize("ascii_only", [True, False])
    def test_a_piece_may_end_anywhere(
        self, tmp_path: Path, small_chunks: Callable[[int], None], size: int, ascii_only: bool
    ) -> None:
        rows = [
            {'é😀\n\\"': [None, True, -1.5e3, {"a": "\u2028 x"}], "b": ""},
            {"long": "ab\\" * 50, "n": 123456789},
            {},
        ]
        path = tmp_path / "rows.json"
        path.write_text(json.dumps(rows, ensure_ascii=ascii_only, indent=2), encoding="utf-8")
        small_chunks(size)
        assert read(path) == rows

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("[{]", "line 1, character 3: Expecting property name"),
            ('[{"a": 1}\n{"a": 2}]', "line 2, character 1: Expecting ',' or ']'"),
            ('[{"a": 1},\n ]', "line 2, character 2: Expecting value"),
            ('[{"a": 1}, {"b": tru}]', "line 1, character 18: Expecting value"),
            ('[\n{"a": "x\ny"}]', "line 2, character 9: Invalid control character"),
            ('[{"a": 1}] x', "line 1, character 12: Extra data"),
            ('[{"a": 1}', "line 1, character 10: Expecting ',' or ']'"),
            ('[{"a": "b', "line 1, character 8: Unterminated string"),
            ("[", "line 1, character 2: Expecting value"),
        ],
    )
    @pytest.mark.parametrize("size", [3, 1024])
    def test_where_it_is_no_json(
        self,
        tmp_path: Path,
        small_chunks: Callable[[int], None],
        size: int,
        content: str,
        said: str,
    ) -> None:
        path = tmp_path / "rows.json"
        path.write_text(content)
        small_chunks(size)
        assert failure_of(path).startswith(f"is not valid JSON ({said}")

    def test_a_mistake_is_told_before_the_rest_is_read(self) -> None:
        content = b'[{"a": 1},\n{"a" 2},\n' + b'{"a": 3},\n' * 1_000_000
        file = io.BytesIO(content)
        with pytest.raises(DataFileError, match="line 2, character 6"):
            list(json_array.read_array(file))
        assert file.tell() < len(content) / 2

    def test_an_empty_list_has_no_rows(self, tmp_path: Path) -> None:
        (tmp_path / "rows.json").write_text(" [ ] ")
        assert read(tmp_path / "rows.json") == []

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "rows.json").write_bytes(b'[{"a": 1},\n{"a": "\xe9"}]')
        assert failure_of(tmp_path / "rows.json").startswith("is not UTF-8 text (at or after line")


class TestJsonLines:
    @given(rows=rows_of_any_kind, ascii_only=st.booleans())
    def test_lines_end_at_line_feeds_alone(
        self, tmp_path_factory: pytest.TempPathFactory, rows: list[Any], ascii_only: bool
    ) -> None:
        # JSON may hold U+2028 and its like inside a text; str.splitlines() would cut there.
        path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
        lines = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        assert read(path) == rows
        assert numbered(path) == ("line", list(range(1, len(rows) + 1)))

    @pytest.mark.parametrize("size", [1, 5, 8, 30])
    def test_batches_end_with_a_line(
        self, tmp_path: Path, small_chunks: Callable[[int], None], size: int
    ) -> None:
        path = tmp_path / "rows.jsonl"
        path.write_text('{"a": "é"}\n\n{"b": 2}\r\n  {"c": 3} \t{"d": 4}', encoding="utf-8")
        small_chunks(size)
        assert read(path) == [{"a": "é"}, {"b": 2}, {"c": 3}, {"d": 4}]
        assert numbered(path)[1] == [1, 3, 4, 4]

    def test_the_first_batch_is_the_loaders(
        self, tmp_path: Path, small_chunks: Callable[[int], None]
    ) -> None:
        # `datasets` reads so many bytes, and then to the end of that line.
        path = tmp_path / "rows.jsonl"
        path.write_text('{"a": 1}\n{"a": 2}\n{"a": 3}\n{"a": 4}\n')
        small_chunks(len('{"a": 1}\n') + 1)
        with DigestedFile(path) as file:
            batches = [[row["a"] for _, row in batch] for batch in read_batches(file, ".jsonl")[1]]
        assert batches == [[1, 2], [3, 4]]

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b'{"a": 1}\n\n{"b": \n', "is not valid JSON (line 3, character 7: Expecting value)"),
            (b'{"a": 1}}\n', "is not valid JSON (line 1, character 9: Expecting value)"),
            (b'{\n"a": 1}', "is not valid JSON (line 1, character 2: Expecting property name"),
            (b'{"a": 1}\n{"a": "\xe9"}', "is not UTF-8 text (line 2)"),
            (b'{"a": "\\uD83D"}', "holds \\ud83d alone, which is half a character (line 1)"),
            (b'{"a": "\\ude00\\ud83d"}', "holds \\ude00 alone"),
        ],
    )
    def test_where_it_is_no_json(self, tmp_path: Path, content: bytes, said: str) -> None:
        (tmp_path / "rows.jsonl").write_bytes(content)
        assert failure_of(tmp_path / "rows.jsonl").startswith(said)

    def test_a_whole_pair_is_a_character(self, tmp_path: Path) -> None:
        (tmp_path / "rows.jsonl").write_bytes(b'{"a": "\\ud83d\\ude00"}')
        assert read(tmp_path / "rows.jsonl") == [{"a": "😀"}]


class TestCsv:
    def write(self, tmp_path: Path, content: str) -> Path:
        path = tmp_path / "rows.csv"
        path.write_text(content, encoding="utf-8", newline="")
        return path

    def test_cells_as_pandas_reads_them(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, '\ufeffa,b\r\n"x, ""y""\nz",NA\r\n\r\n  \r\nshort\r\n')
        assert read(path) == [{"a": 'x, "y"\nz', "b": None}, {"a": "short", "b": None}]
        assert numbered(path) == ("line", [2, 6])

    def test_long_texts(self, tmp_path: Path) -> None:
        assert len(read(self.write(tmp_path, "a,b\n" + "x" * 300_000 + ",y\n"))[0]["a"]) == 300_000

    def test_batches_of_ten_thousand(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "a\n" + "x\n" * 20_001)
        with DigestedFile(path) as file:
            assert [len(list(batch)) for batch in read_batches(file, ".csv")[1]] == [
                10_000,
                10_000,
                1,
            ]

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("", "has no line with the names of the columns"),
            ("a,a\nx,y\n", "names the column 'a' twice"),
            ("a,b\nx,y,z\n", "has 3 cells in line 2, and names 2 columns"),
            ('a,b\nx,y\n"z\n', "is not valid CSV (after line 2: unexpected end of data)"),
        ],
    )
    def test_what_is_no_table(self, tmp_path: Path, content: str, said: str) -> None:
        assert failure_of(self.write(tmp_path, content)) == said


class TestTexts:
    def test_a_row_is_a_line(self, tmp_path: Path) -> None:
        path = tmp_path / "rows.txt"
        path.write_bytes("a\r\n\nb\u2028c\rd".encode())
        assert read(path) == [{"text": line} for line in ("a", "", "b\u2028c", "d")]
        assert numbered(path) == ("line", [1, 2, 3, 4])

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "rows.txt").write_bytes(b"a\n" + b"b" * 2_000_000 + b"\n\xe9\n")
        assert failure_of(tmp_path / "rows.txt").startswith("is not UTF-8 text (after line")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", b'[{"a": 1}]  \n'),
        ("rows.jsonl", b'{"a": 1}\n\n'),
        ("rows.csv", b"a\n1\n"),
        ("rows.txt", b"a\n\n"),
    ],
)
def test_the_digest_is_of_the_whole_file(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with DigestedFile(path) as file:
        for batch in read_batches(file, path.suffix)[1]:
            list(batch)
        assert file.finish() == hashlib.sha256(content).hexdigest()
