"""Held-out questions: what is asked, and that no run has seen it (O2)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plan.evaluation import Question, ToolCall
from plan.problem import Problem
from stack_configs.settings.data_files.questions import read_rows
from stack_configs.settings.held_out import held_out_questions
from stack_configs.settings.loader import parse_settings

Document = dict[str, Any]
Find = Callable[[Any], list[Problem]]
KEY = "models[0].ollama_model.evaluation"
OTHER = [{"instruction": "What is QLoRA?", "output": "LoRA on a quantized model."}]
TOOL = {"name": "find_bird", "parameters": {"type": "object"}}


@pytest.fixture
def evaluated(document: Document, directory: Path) -> Document:
    """The document with a held-out set that is right."""
    write(directory, "held-out", OTHER)
    document["datasets"].append({"name": "held-out", "file": "held-out.json"})
    document["models"][0]["ollama_model"] = {
        "evaluation": {"dataset": "held-out", "measures": {"rouge_l": {}}}
    }
    return document


def evaluation(document: Document) -> Document:
    found: Document = document["models"][0]["ollama_model"]["evaluation"]
    return found


def write(directory: Path, name: str, rows: list[Any]) -> None:
    (directory / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")


def talk(*turns: tuple[str, str]) -> list[dict[str, str]]:
    return [{"from": role, "value": text} for role, text in turns]


class TestRefused:
    def test_nothing_where_it_is_right(self, evaluated: Document, problems_of: Find) -> None:
        assert problems_of(evaluated) == []

    @pytest.mark.parametrize(
        ("change", "key", "rule"),
        [
            ({"dataset": "held"}, "dataset", "no data set of that name is declared"),
            ({"dataset": "alpaca"}, "dataset", "run sft trains on it"),
            ({"measures": {}}, "measures", "nothing is measured"),
            ({"dataset": None}, "", "nothing is asked"),
            ({"measures": {"tool_call": {}}}, "measures.tool_call", "none of the 1 questions"),
            ({"measures": {"f1": {"required": 1.5}}}, "measures.f1.required", "less than"),
            (
                {"measures": {"valid_json": {"json_schema": {"type": "objct"}}}},
                "measures.valid_json.json_schema",
                "it is no JSON schema",
            ),
            (
                {"rows": [{"prompt": "Call.", "expect_tool_call": {"name": "count"}}]},
                "rows[0]",
                "which is none of the tools that are offered (there are none)",
            ),
            ({"rows": [{"prompt": "Say."}]}, "rows[0]", "nothing is expected"),
        ],
    )
    def test_what_cannot_be_asked(
        self, evaluated: Document, problems_of: Find, change: Document, key: str, rule: str
    ) -> None:
        evaluation(evaluated).update(change)
        (problem,) = problems_of(evaluated)
        assert problem.key == (f"{KEY}.{key}" if key else KEY)
        assert rule in problem.rule

    def test_a_hubs_data_set_is_not_read_here(self, evaluated: Document, problems_of: Find) -> None:
        evaluated["datasets"][1] = {"name": "held-out", "hf_hub_url": "org/rows"}
        (problem,) = problems_of(evaluated)
        assert (problem.key, problem.value) == (f"{KEY}.dataset", "'held-out'")
        assert "not read before the run" in problem.rule


class TestTrainedOn:
    """A row that asks what a run trains on."""

    @pytest.mark.parametrize(
        ("row", "place"),
        [
            ({"instruction": "What is LoRA?", "output": "Something else."}, "row 1"),
            ({"instruction": " What  is\nLoRA? ", "output": "The same."}, "row 1"),
            ({"instruction": "Add.", "input": "1 and 2", "output": "3"}, "row 2"),
        ],
    )
    def test_the_same_question_is_refused_whatever_its_answer(
        self, evaluated: Document, directory: Path, problems_of: Find, row: Document, place: str
    ) -> None:
        write(directory, "held-out", [*OTHER, row])
        (problem,) = problems_of(evaluated)
        assert problem.key == f"{KEY}.dataset"
        assert f"data set alpaca trains on what it asks ({place})" in problem.rule

    def test_another_input_is_another_question(
        self, evaluated: Document, directory: Path, problems_of: Find
    ) -> None:
        write(directory, "held-out", [{"instruction": "Add.", "input": "1 and 3", "output": "4"}])
        assert problems_of(evaluated) == []

    def test_a_question_inside_a_conversation_counts_with_what_is_before_it(
        self, evaluated: Document, directory: Path, problems_of: Find
    ) -> None:
        turns = talk(("human", "Hello"), ("gpt", "Hi"), ("human", "Why?"), ("gpt", "So."))
        write(directory, "sharegpt", [{"conversations": turns}])
        evaluated["datasets"].append(
            {"name": "talks", "file": "sharegpt.json", "formatting": "sharegpt"}
        )
        evaluated["models"][0]["training_runs"][0]["datasets"].append("talks")
        evaluation(evaluated)["rows"] = [{"prompt": "Why?", "expect": "So"}]
        assert problems_of(evaluated) == []
        evaluation(evaluated)["rows"] = [{"prompt": "Hello", "expect": "Hi"}]
        (problem,) = problems_of(evaluated)
        assert "data set talks trains on what it asks (row 1)" in problem.rule

    def test_many_are_counted(
        self, evaluated: Document, directory: Path, problems_of: Find
    ) -> None:
        rows = [{"instruction": f"Number {n}?", "output": "Yes."} for n in range(9)]
        write(directory, "alpaca", rows)
        write(directory, "held-out", rows)
        (problem,) = problems_of(evaluated)
        assert "(row 1, row 2, row 3 and 6 more)" in problem.rule

    def test_files_that_were_found_apart_are_not_read_again(
        self,
        evaluated: Document,
        directory: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        read: list[str] = []
        records = tmp_path / "records"

        def counted(path: Path) -> Any:
            read.append(path.stem)
            return read_rows(path)

        monkeypatch.setattr("stack_configs.settings.held_out.read_rows", counted)
        for _ in range(2):
            parse_settings(evaluated, directory=directory, source="test", records=records)
        assert read.count("alpaca") == 1
        write(directory, "alpaca", [{"instruction": "Another?", "output": "Yes."}])
        parse_settings(evaluated, directory=directory, source="test", records=records)
        assert read.count("alpaca") == 2


class TestAsked:
    """What a row becomes."""

    def asked(self, document: Document, directory: Path) -> tuple[Question, ...]:
        settings = parse_settings(document, directory=directory, source="test")
        return held_out_questions(settings.models[0], settings.datasets)

    def test_a_conversation_is_asked_up_to_its_last_answer(
        self, evaluated: Document, directory: Path
    ) -> None:
        turns = talk(
            ("system", "Be brief."),
            ("human", "Where is the heron?"),
            ("function_call", '{"name": "find_bird", "arguments": {"bird": "heron"}}'),
            ("observation", "pond 7"),
            ("gpt", "At pond 7."),
        )
        tools = json.dumps([TOOL])
        write(
            directory,
            "held-out",
            [
                {"conversations": turns, "tools": tools},
                {"conversations": turns[1:3], "tools": tools},
            ],
        )
        evaluated["datasets"][1] |= {"formatting": "sharegpt", "columns": {"tools": "tools"}}
        told, called = self.asked(evaluated, directory)
        call = {"function": {"name": "find_bird", "arguments": {"bird": "heron"}}}
        assert told.messages == (
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Where is the heron?"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": "pond 7"},
        )
        assert told.expect == "At pond 7."
        assert told.tools == ({"type": "function", "function": TOOL},)
        expected = (ToolCall(name="find_bird", arguments={"bird": "heron"}),)
        assert (called.expect, called.expect_tool_calls) == ("", expected)

    def test_a_sample_is_spread_over_the_set(self, evaluated: Document, directory: Path) -> None:
        rows = [{"instruction": f"Number {n}?", "output": str(n)} for n in range(10)]
        write(directory, "held-out", rows)
        evaluation(evaluated)["sample"] = 4
        assert [each.expect for each in self.asked(evaluated, directory)] == ["0", "2", "5", "7"]
        evaluation(evaluated)["sample"] = 10
        assert len(self.asked(evaluated, directory)) == 10

    def test_rows_of_the_settings_come_after_it(self, evaluated: Document, directory: Path) -> None:
        evaluation(evaluated)["rows"] = [
            {"prompt": "Go?", "system": "Be brief.", "expect": "No.", "tools": [TOOL]}
        ]
        _, own = self.asked(evaluated, directory)
        assert [message["role"] for message in own.messages] == ["system", "user"]
        assert own.tools == ({"type": "function", "function": TOOL},)
