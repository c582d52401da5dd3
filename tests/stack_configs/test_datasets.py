"""Data files: every row must be one that LLaMA-Factory will train on (D1, D2)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan.problem import Problem
from stack_configs.settings.dataset_rows import Layout, check_rows, read_rows
from stack_configs.settings.loader import parse_settings

Find = Callable[[Any], list[Problem]]
ALPACA = Layout(prompt="instruction", query="input", answers=("output",))
SHAREGPT = Layout(
    messages="conversations", askers=("human", "observation"), answerers=("gpt", "function_call")
)


def turns(*roles: str) -> list[dict[str, str]]:
    return [{"from": role, "value": "text"} for role in roles]


class TestFile:
    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("rows.csv", b"a,b", "must be a .json or .jsonl file"),
            ("rows.json", b"[{]", "is not valid JSON (line 1"),
            ("rows.json", b"", "is not valid JSON"),
            ("rows.json", b"[]", "at least one row"),
            ("rows.json", b'{"instruction": "a"}', "must be a list"),
            ("rows.jsonl", b'{"a": 1}\n\n{"b": \n', "is not valid JSON (line 3"),
            ("rows.jsonl", b"\n", "at least one row"),
            ("rows.json", b'["\xe9"]', "cannot be read"),
        ],
    )
    def test_what_is_wrong_with_a_file(
        self, tmp_path: Path, name: str, content: bytes, said: str
    ) -> None:
        (tmp_path / name).write_bytes(content)
        found = read_rows(tmp_path / name)
        assert isinstance(found, str)
        assert said in found

    def test_a_missing_file_and_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "folder.json").mkdir()
        assert read_rows(tmp_path / "no.json") == "does not exist"
        assert "cannot be read" in read_rows(tmp_path / "folder.json")

    rows = st.lists(
        st.dictionaries(st.text(max_size=8), st.text(max_size=20), min_size=1), min_size=1
    )

    @given(rows=rows, ascii_only=st.booleans())
    def test_json_lines_are_split_at_line_feeds_alone(
        self, tmp_path_factory: pytest.TempPathFactory, rows: list[Any], ascii_only: bool
    ) -> None:
        # JSON may hold U+2028 and its like inside a text; str.splitlines() would cut there.
        path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
        lines = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        assert read_rows(path) == rows


class TestAlpacaRows:
    text = st.text(min_size=1)
    row = st.fixed_dictionaries(
        {"instruction": text, "output": text}, optional={"input": st.none() | st.text()}
    )

    @given(st.lists(row, min_size=1))
    def test_rows_with_their_columns_are_right(self, rows: list[Any]) -> None:
        assert check_rows(rows, ALPACA) == []

    @given(row, st.sampled_from(["instruction", "output"]), st.sampled_from([None, "", 3, []]))
    def test_a_row_that_lacks_a_column_is_named(
        self, row: dict[str, Any], column: str, value: Any
    ) -> None:
        good = {"instruction": "a", "output": "b"}
        assert check_rows([good, row | {column: value}], ALPACA) == [
            f"row 2 has no text in column {column!r}"
        ]

    def test_a_row_that_is_no_object(self) -> None:
        assert check_rows(["text"], ALPACA) == ["row 1 is not an object"]

    @given(st.integers(min_value=4, max_value=500))
    def test_the_first_problems_are_told_and_the_rest_counted(self, count: int) -> None:
        found = check_rows([{"instruction": "a"}] * count, ALPACA)
        assert len(found) == 4
        assert found[-1] == f"and {count - 3} more"


class TestShareGptRows:
    @pytest.mark.parametrize(
        "roles",
        [
            ("human", "gpt"),
            ("system", "human", "gpt"),
            ("human", "function_call", "observation", "gpt"),
            ("human", "gpt", "human", "gpt"),
        ],
    )
    def test_conversations_in_turn_are_right(self, roles: tuple[str, ...]) -> None:
        assert check_rows([{"conversations": turns(*roles)}], SHAREGPT) == []

    @pytest.mark.parametrize(
        ("conversation", "said"),
        [
            (None, "no list of turns"),
            ([], "no list of turns"),
            (["hi"], "turn 1 is not an object"),
            (turns("user", "gpt"), "turn 1 has 'from' 'user', not one of human, observation"),
            (turns("human", "human"), "turn 2 has 'from' 'human', not one of gpt, function_call"),
            (turns("gpt", "human"), "turn 1 has 'from' 'gpt'"),
            (turns("system", "gpt"), "turn 2 has 'from' 'gpt'"),
            (turns("human", "system"), "turn 2 has 'from' 'system'"),
            (turns("human", "gpt", "human"), "must end with an answer"),
            (turns("system"), "must end with an answer"),
            ([{"from": "human"}, {"from": "gpt", "value": "b"}], "turn 1 has no text in 'value'"),
            ([{"from": ["human"], "value": "a"}, *turns("gpt")], "turn 1 has 'from' ['human']"),
        ],
    )
    def test_conversations_that_would_be_skipped_are_refused(
        self, conversation: Any, said: str
    ) -> None:
        assert said in "; ".join(check_rows([{"conversations": conversation}], SHAREGPT))

    def test_ranked_answers_are_turns_after_a_question(self) -> None:
        layout = Layout(
            messages="conversations",
            askers=("human",),
            answerers=("gpt",),
            answers=("chosen", "rejected"),
        )
        chosen, rejected = turns("gpt", "gpt")
        good = {"conversations": turns("human"), "chosen": chosen, "rejected": rejected}
        assert check_rows([good], layout) == []
        answered = good | {"conversations": turns("human", "gpt")}
        assert check_rows([answered], layout) == [
            "row 1 must end with a question in column 'conversations'"
        ]
        assert check_rows([good | {"chosen": "text"}], layout) == [
            "row 1 has no turn in column 'chosen'"
        ]
        assert (
            "column 'rejected' has 'from' 'human'"
            in check_rows([good | {"rejected": turns("human")[0]}], layout)[0]
        )


class TestSettings:
    def dataset(self, directory: Path, rows: Any, **settings: Any) -> dict[str, Any]:
        (directory / "own.json").write_text(json.dumps(rows))
        return {"name": "own", "file": "own.json", **settings}

    def test_the_message_names_key_file_row_and_column(
        self, document: dict[str, Any], directory: Path, problems_of: Find
    ) -> None:
        rows = [{"instruction": "a", "output": "b"}, {"instruction": "a"}]
        document["datasets"].append(self.dataset(directory, rows))
        (problem,) = problems_of(document)
        assert problem.key == "datasets[1]"
        assert problem.rule == "file own.json: row 2 has no text in column 'output'"
        assert "columns" in problem.way_out

    def test_a_missing_file_is_named(self, document: dict[str, Any], problems_of: Find) -> None:
        document["datasets"][0]["file"] = "data/none.json"
        (problem,) = problems_of(document)
        assert problem.rule == "file data/none.json does not exist"

    def test_columns_that_no_row_has_are_a_mistake(
        self, document: dict[str, Any], directory: Path, problems_of: Find
    ) -> None:
        rows = [{"question": "a", "answer": "b"}]
        columns = {"prompt": "question", "response": "answr", "system": "persona"}
        document["datasets"].append(self.dataset(directory, rows, columns=columns))
        (problem,) = problems_of(document)
        assert problem.rule == "file own.json: no row has the column 'answr', 'persona'"

    def test_own_columns_and_tags(
        self, document: dict[str, Any], directory: Path, problems_of: Find
    ) -> None:
        rows = [{"talk": [{"role": "user", "content": "a"}, {"role": "bot", "content": "b"}]}]
        document["datasets"].append(
            self.dataset(
                directory,
                rows,
                format="sharegpt",
                columns={"messages": "talk"},
                tags={
                    "role_tag": "role",
                    "content_tag": "content",
                    "user_tag": "user",
                    "assistant_tag": "bot",
                },
            )
        )
        assert problems_of(document) == []

    @pytest.mark.parametrize("key", ["format", "formatting"])
    def test_either_word_for_the_format_is_understood(
        self, document: dict[str, Any], directory: Path, key: str
    ) -> None:
        document["datasets"].append({"name": "chat", "file": "sharegpt.json", key: "sharegpt"})
        settings = parse_settings(document, directory=directory, source="test")
        assert settings.datasets[1].formatting == "sharegpt"

    def test_a_plan_does_not_depend_on_the_working_directory(
        self, document: dict[str, Any], directory: Path
    ) -> None:
        settings = parse_settings(document, directory=directory, source="test")
        assert settings.datasets[0].file == directory / "alpaca.json"
