"""A whole data set: what is told of it, how much memory it takes, and its digest (D6)."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from plan.identity import file_digest, tree_digest
from stack_configs.settings.data_files.check import check_data
from stack_configs.settings.data_files.failure import DataFileError
from stack_configs.settings.data_files.layout import Layout

PROJECT = Path(__file__).parents[3]
ALPACA = Layout(prompt="instruction", query="input", response="output", response_is_optional=True)
GOOD = {"instruction": "a", "output": "b"}
MOST_MIB = 120
"""Twice what a check takes; the file is twice as large again."""


def check(path: Path, layout: Layout = ALPACA) -> Any:
    return check_data(path, layout, media_folder=path.parent)


def failure_of(path: Path, layout: Layout = ALPACA) -> str:
    with pytest.raises(DataFileError) as caught:
        check(path, layout)
    return caught.value.rule


def write(path: Path, rows: list[Any]) -> Path:
    if path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


class TestFindings:
    @pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
    def test_rows_columns_and_digest(self, tmp_path: Path, name: str) -> None:
        path = write(tmp_path / name, [GOOD, {**GOOD, "more": 1}])
        found = check(path)
        assert (found.rows, found.columns) == (2, ("instruction", "more", "output"))
        assert found.digest == hashlib.sha256(path.read_bytes()).hexdigest()

    def test_a_folder_is_known_by_the_names_and_contents_of_its_files(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        write(folder / "a.jsonl", [GOOD])
        write(folder / "b.json", [GOOD] * 2)
        found = check(folder)
        assert (found.rows, found.columns) == (3, ("instruction", "output"))
        # What the registration compares before it sends the folder.
        assert found.digest == tree_digest(folder)

    @pytest.mark.parametrize("head", [b"PAR1....", b"ARROW1\0\0", b"\xff\xff\xff\xff\x10\0\0\0"])
    def test_tables_are_taken_as_they_are(self, tmp_path: Path, head: bytes) -> None:
        path = tmp_path / ("rows.parquet" if head.startswith(b"P") else "rows.arrow")
        path.write_bytes(head)
        found = check(path)
        assert (found.rows, found.columns, found.digest) == (None, (), file_digest(path))

    def test_prompts_alone(self, tmp_path: Path) -> None:
        assert check(write(tmp_path / "rows.jsonl", [{"instruction": "a"}] * 12)).rows == 12

    def test_blank_lines_part_texts(self, tmp_path: Path) -> None:
        (tmp_path / "rows.txt").write_text("a\n\nb\n")
        assert check(tmp_path / "rows.txt", Layout(prompt="text")).rows == 3


class TestProblems:
    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("rows.xlsx", "", "must be a file of one of .json, .jsonl, .csv, .txt"),
            ("rows.json", "", "must have at least one row"),
            ("rows.json", "[]", "must have at least one row"),
            ("rows.jsonl", "\n", "must have at least one row"),
            ("rows.csv", "a,b\n", "must have at least one row"),
            ("rows.txt", "", "must have at least one row"),
            ("rows.json", '["a"]', "cannot be trained on: row 1 is not an object"),
            ("rows.parquet", "PK", "is no parquet file"),
        ],
    )
    def test_of_the_file(self, tmp_path: Path, name: str, content: str, said: str) -> None:
        (tmp_path / name).write_text(content)
        assert failure_of(tmp_path / name).startswith(said)

    def test_a_missing_file(self, tmp_path: Path) -> None:
        assert failure_of(tmp_path / "no.json") == "does not exist"

    @pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
    @pytest.mark.parametrize("value", ["9" * 5_000, "[" * 100_000 + "]" * 100_000])
    def test_values_beyond_measure(self, tmp_path: Path, name: str, value: str) -> None:
        content = f'{{"a": {value}}}'
        (tmp_path / name).write_text(f"[{content}]" if name == "rows.json" else content)
        assert failure_of(tmp_path / name).startswith("cannot be read (")

    def test_folders_of_other_things(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        assert failure_of(folder) == "is an empty folder"
        write(folder / "a.json", [GOOD])
        (folder / "b.csv").write_text("instruction,output\na,b\n")
        assert failure_of(folder) == "holds files of several formats"
        (folder / ".DS_Store").write_text("")
        assert failure_of(folder).startswith("holds .DS_Store, and not only file")

    def test_a_file_of_a_folder_is_named(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        write(folder / "a.jsonl", [GOOD])
        write(folder / "b.jsonl", [GOOD, {"instruction": "a", "output": ""}])
        assert failure_of(folder) == (
            "holds b.jsonl, which cannot be trained on: line 2 has no text in column 'output'"
        )
        write(folder / "b.jsonl", [{**GOOD, "more": "c"}])
        assert failure_of(folder).startswith(
            "holds a.jsonl and b.jsonl, of which one alone has the column 'more'"
        )

    def test_a_row_of_another_kind_is_one_problem(self, tmp_path: Path) -> None:
        rows = [GOOD, {"instruction": "a", "output": 3}]
        assert failure_of(write(tmp_path / "rows.jsonl", rows)) == (
            "cannot be trained on: line 2 has a number in column 'output', and rows before it "
            "have text"
        )

    def test_ten_are_told_and_the_rest_counted(self, tmp_path: Path) -> None:
        rows = [GOOD, *[{"instruction": "a", "output": None}] * 500]
        told = failure_of(write(tmp_path / "rows.jsonl", rows)).split("; ")
        assert told[0] == "cannot be trained on: line 2 has no text in column 'output'"
        assert told[9] == "line 11 has no text in column 'output'"
        assert told[10:] == ["and 490 more"]

    def test_rows_without_the_answer_are_wrong_where_another_has_it(self, tmp_path: Path) -> None:
        prompts = [{"instruction": "a"}, {"instruction": None}, {"instruction": "a"}]
        said = failure_of(write(tmp_path / "rows.jsonl", [*prompts, GOOD]))
        assert said == (
            "cannot be trained on: line 1 has no text in column 'output'; "
            "line 2 has no text in column 'instruction'; "
            "line 2 has no text in column 'output'; line 3 has no text in column 'output'"
        )
        only = failure_of(write(tmp_path / "rows.jsonl", prompts))
        assert only == "cannot be trained on: line 2 has no text in column 'instruction'"

    def test_columns_that_no_row_has(self, tmp_path: Path) -> None:
        layout = Layout(prompt="q", response="r", declared=("q", "r", "s"))
        said = failure_of(write(tmp_path / "rows.jsonl", [{"q": "a"}]), layout)
        assert said == "has no row with the column 'r', 's'"

    def test_verdicts_of_a_csv_file(self, tmp_path: Path) -> None:
        layout = Layout(prompt="q", response="r", verdict="v")
        path = tmp_path / "rows.csv"
        path.write_text("q,r,v\na,b,TRUE\na,b,False\n")
        assert check(path, layout).rows == 2
        path.write_text("q,r,v\na,b,TRUE\na,b,yes\n")
        assert failure_of(path, layout).endswith("line 3 has no true or false in column 'v'")

    def test_a_folder_is_no_file_of_rows(self, tmp_path: Path) -> None:
        (tmp_path / "rows.json").mkdir()
        assert failure_of(tmp_path / "rows.json") == "is an empty folder"

    def test_a_file_that_grows_meanwhile(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write(tmp_path / "rows.jsonl", [GOOD])
        real = Path.stat
        sizes = iter([1, 2])

        class Growing:
            st_mtime_ns = 0

            def __init__(self) -> None:
                self.st_size = next(sizes)

        monkeypatch.setattr(
            Path, "stat", lambda self, **kw: Growing() if self == path else real(self, **kw)
        )
        monkeypatch.setattr("stack_configs.settings.data_files.check.data_files", lambda p: [p])
        monkeypatch.setattr(Path, "is_dir", lambda self: False)
        assert failure_of(path) == "was changed while it was read"


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.csv", "rows.txt"])
def test_the_memory_of_a_check_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    path, line = tmp_path / name, "x" * 20_000
    row = {
        ".json": json.dumps({"instruction": line, "output": "b"}) + ",\n",
        ".jsonl": json.dumps({"instruction": line, "output": "b"}) + "\n",
        ".csv": f"{line},b\n",
        ".txt": f"{line}\n",
    }[path.suffix]
    count = 2 * MOST_MIB * 1024 * 1024 // len(row)
    with path.open("w") as file:
        file.write({".json": "[", ".csv": "instruction,output\n"}.get(path.suffix, ""))
        for _ in range(count):
            file.write(row)
        file.write(row.rstrip(",\n") + "]" if path.suffix == ".json" else row)
    prompt = "text" if path.suffix == ".txt" else "instruction"
    program = (
        "from pathlib import Path\n"
        "from stack_configs.settings.data_files.check import check_data\n"
        "from stack_configs.settings.data_files.layout import Layout\n"
        f"path = Path({str(path)!r})\n"
        f"print(check_data(path, Layout(prompt={prompt!r}), media_folder=path.parent).rows)\n"
        # Of this program alone: what rusage tells begins with the memory of who started it.
        "status = Path('/proc/self/status').read_text().split('VmHWM:')[1]\n"
        "print(int(status.split()[0]) // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    rows, peak = map(int, done.stdout.split())
    assert rows == count + 1
    assert peak < MOST_MIB
