"""Columns as the loader types them; what it refuses is tried in tests/integration/data_formats."""

from typing import Any

import pytest

from stack_configs.settings.data_files.columns import CsvColumns, JsonColumns


def json_problems(*batches: list[dict[str, Any]]) -> list[str]:
    columns = JsonColumns()
    found = []
    for batch in batches:
        found += [problem for row in batch for problem in columns.problems(row)]
        found += columns.end_batch()
    return found


class TestJson:
    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({"a": "x"}, {"a": "y"}),
            ({"a": "x"}, {"a": None}),
            ({"a": None}, {"a": "x"}),
            ({"a": 1}, {"a": 1.5}),
            ({"a": "x"}, {"b": 1}),
            ({"a": []}, {"a": ["x"]}),
        ],
    )
    def test_what_goes_together_in_a_batch(self, first: Any, second: Any) -> None:
        assert json_problems([first, second]) == []

    @pytest.mark.parametrize(
        ("first", "second", "said"),
        [
            ("x", 1, "has a number in column 'a', and rows before it have text"),
            (True, 1, "has a number in column 'a', and rows before it have true or false"),
            ([], {}, "has an object in column 'a', and rows before it have a list"),
        ],
    )
    def test_two_kinds_in_a_column(self, first: Any, second: Any, said: str) -> None:
        assert json_problems([{"a": first}, {"a": None}, {"a": second}]) == [said]

    def test_a_later_batch_may_lack_a_column(self) -> None:
        assert json_problems([{"a": "x", "b": 1}], [{"a": None}]) == []

    @pytest.mark.parametrize("first", [{"a": "x"}, {"a": "x", "b": None}])
    def test_a_later_batch_must_not_bring_one(self, first: Any) -> None:
        (said,) = json_problems([first], [{"a": "x", "b": 1}])
        assert said.startswith("is the first with a value in column 'b'")

    def test_a_later_batch_must_not_even_name_one(self) -> None:
        (said,) = json_problems([{"a": "x"}], [{"a": "x", "b": None}])
        assert "column 'b'" in said

    def test_every_row_of_a_kind_is_told(self) -> None:
        assert len(json_problems([{"a": "x"}, {"a": 1}, {"a": 2}])) == 2

    def test_the_columns_seen(self) -> None:
        columns = JsonColumns()
        for row in ({"a": 1}, {"b": None}, {"a": 2}):
            columns.problems(row)
        assert columns.seen == {"a", "b"}


def csv_problems(*batches: list[str | None], texts: tuple[str, ...] = ("a",)) -> list[str]:
    columns = CsvColumns(texts)
    found = []
    for batch in batches:
        found += [problem for cell in batch for problem in columns.problems({"a": cell})]
        found += columns.end_batch()
    return found


class TestCsv:
    @pytest.mark.parametrize("cells", [["x", "1"], ["1", "x"], ["1,000"], ["1_0"], [None], ["1 2"]])
    def test_texts(self, cells: list[str | None]) -> None:
        assert csv_problems(cells) == []

    @pytest.mark.parametrize(
        "cells", [["1", "2"], ["1.5", None], [" -1e5"], ["inf"], [".5", "5."], ["+3", "4 "]]
    )
    def test_numbers_alone_are_no_texts(self, cells: list[str | None]) -> None:
        (said,) = csv_problems(cells)
        assert said.startswith("column 'a' holds nothing but numbers")
        assert csv_problems(cells, texts=()) == []

    def test_truth_values_alone_are_no_texts(self) -> None:
        (said,) = csv_problems(["true", "False", "TRUE"])
        assert said.startswith("column 'a' holds nothing but truth values")

    @pytest.mark.parametrize("first", [["1"], [None], ["true"]])
    def test_text_must_not_come_after_the_first_batch(self, first: list[str | None]) -> None:
        (said,) = csv_problems(first, ["x"], texts=())
        assert said.startswith("is the first with text in column 'a'")

    def test_numbers_may_come_after_texts(self) -> None:
        assert csv_problems(["x"], ["1"]) == []
