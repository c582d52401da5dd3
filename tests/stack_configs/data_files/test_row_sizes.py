"""The sizes of rows: a sample that is spread over all of them, and stays small (D6)."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from stack_configs.settings.data_files.check import check_data
from stack_configs.settings.data_files.layout import Layout
from stack_configs.settings.data_files.row_sizes import SAMPLE, RowSizes, mixed, text_bytes

ALPACA = Layout(formatting="alpaca", prompt="instruction", query="input", response="output")


def sample_of(count: int) -> tuple[int, ...]:
    sizes = RowSizes()
    for number in range(1, count + 1):
        if number == sizes.next:
            sizes.add({"text": "x" * number})
    return sizes.sample


def test_few_rows_are_all_measured() -> None:
    assert sample_of(SAMPLE) == tuple(range(1, SAMPLE + 1))


@pytest.mark.parametrize("count", [3 * SAMPLE, 20 * SAMPLE, 20 * SAMPLE + 7])
def test_of_many_a_spread_sample_is(count: int) -> None:
    sample = sample_of(count)
    assert SAMPLE <= len(sample) < 2 * SAMPLE
    assert len({later - earlier for earlier, later in pairwise(sample)}) == 1
    assert sample[0] == 1
    assert sample[-1] > 0.98 * count


@pytest.mark.parametrize(
    ("row", "size"),
    [
        ({"instruction": "Why?", "output": "So.", "number": 7}, 7),
        ({"instruction": "为什么"}, 9),
        ({"messages": [{"role": "user", "content": "Hi"}], "tools": None}, 6),
        ({"history": [["a", "b"], ["c", "d"]]}, 4),
        ({"text": "\ud800"}, 1),
    ],
)
def test_all_texts_of_a_row_count(row: object, size: int) -> None:
    assert text_bytes(row) == size


def test_a_larger_set_counts_for_more() -> None:
    both = mixed([(900, [1] * 10), (100, [2] * 400), (0, []), (5, [])])
    assert len(both) == pytest.approx(SAMPLE, abs=2)
    assert both.count(2) == pytest.approx(len(both) / 10, abs=1)
    assert mixed([]) == ()


def test_a_file_and_a_folder_are_measured(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    for name, answer in (("a.json", "abc"), ("b.json", "abcdef")):
        rows = [{"instruction": "Why?", "output": answer}] * 10
        (folder / name).write_text(json.dumps(rows))
    one = check_data(folder / "a.json", ALPACA, media_folder=tmp_path)
    assert one.row_sizes == (7,) * 10
    both = check_data(folder, ALPACA, media_folder=tmp_path)
    assert set(both.row_sizes) == {7, 10}
    assert both.row_sizes.count(7) == len(both.row_sizes) / 2
