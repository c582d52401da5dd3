"""Rows of every layout, each held against what LLaMA-Factory reads (D1, D2).

What the release does with each kind of row that is refused: tests/integration/data_formats.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack_configs.settings.data_files.conversations import OpenAiRows, ShareGptRows
from stack_configs.settings.data_files.layout import Layout, Tags
from stack_configs.settings.data_files.media import Media
from stack_configs.settings.data_files.rows import AlpacaRows

NO_MEDIA = Media((), Path())
ALPACA = Layout(prompt="instruction", query="input", response="output")
SHAREGPT = Layout(formatting="sharegpt", messages="conversations")
OPENAI = Layout(
    formatting="openai",
    messages="messages",
    tools="tools",
    tags=Tags(
        role="role", content="content", user="user", assistant="assistant", observation="tool"
    ),
)
RANKED = ("chosen", "rejected")
CALL = json.dumps({"name": "f", "arguments": {"a": 1}})


def alpaca(row: Any, **layout: Any) -> list[str]:
    return AlpacaRows(replace(ALPACA, **layout), NO_MEDIA).problems(row)


def sharegpt(row: Any, **layout: Any) -> list[str]:
    return ShareGptRows(replace(SHAREGPT, **layout), NO_MEDIA).problems(row)


def turns(*roles: str) -> list[dict[str, Any]]:
    return [{"from": role, "value": CALL if role == "function_call" else "text"} for role in roles]


class TestAlpaca:
    text = st.text(min_size=1)
    row = st.fixed_dictionaries(
        {"instruction": text, "output": text}, optional={"input": st.none() | st.text()}
    )

    @given(row)
    def test_rows_with_their_columns_are_right(self, row: Any) -> None:
        assert alpaca(row) == []

    @given(row, st.sampled_from(["instruction", "output"]), st.sampled_from([3, [], True, {}]))
    def test_a_column_without_text_is_named(
        self, row: dict[str, Any], column: str, value: Any
    ) -> None:
        assert alpaca(row | {column: value}) == [f"has no text in column {column!r}"]

    @given(row, st.sampled_from(["instruction", "output"]), st.sampled_from([None, ""]))
    def test_an_empty_column_is_named(self, row: dict[str, Any], column: str, value: Any) -> None:
        assert alpaca(row | {column: value, "input": ""}) == [f"has no text in column {column!r}"]

    def test_a_question_may_stand_in_the_input_alone(self) -> None:
        assert alpaca({"input": "Why?", "output": "So."}) == []

    def test_two_problems_of_a_row(self) -> None:
        assert alpaca({"input": 3, "output": "b", "instruction": "a"}, system="input") == [
            "has no text in column 'input'",
            "has no text in column 'input'",
        ]

    @pytest.mark.parametrize(
        ("history", "said"),
        [
            (None, []),
            ([], []),
            ([["a", "b"], ["c", "d"]], []),
            ("a", ["has no list of pairs in column 'h'"]),
            ([["a", "b"], ["c"]], ["has no question and answer in pair 2 of column 'h'"]),
            ([["a", ""]], ["has no question and answer in pair 1 of column 'h'"]),
            ([["a", None]], ["has no question and answer in pair 1 of column 'h'"]),
            (["ab"], ["has no question and answer in pair 1 of column 'h'"]),
        ],
    )
    def test_history(self, history: Any, said: list[str]) -> None:
        assert alpaca({"instruction": "a", "output": "b", "h": history}, history="h") == said

    @pytest.mark.parametrize(
        ("tools", "said"),
        [
            (None, None),
            ("", None),
            ("[]", None),
            (json.dumps([{"name": "f"}]), None),
            (json.dumps([{"type": "function", "function": {"name": "f"}}]), None),
            ("[", "column 't' is not valid JSON (character 2: Expecting value)"),
            ('{"name": "f"}', "column 't' is no list of tools"),
            (json.dumps([{"name": "f"}, {"title": "g"}]), "column 't' has no name in tool 2"),
            ('["f"]', "column 't' has no name in tool 1"),
            ([], "has no text in column 't': write the tools as JSON inside a text"),
        ],
    )
    def test_tools(self, tools: Any, said: str | None) -> None:
        found = alpaca({"instruction": "a", "output": "b", "t": tools}, tools="t")
        assert found == ([said] if said else [])

    @pytest.mark.parametrize("verdict", [None, 1, "true"])
    def test_verdict(self, verdict: Any) -> None:
        row = {"instruction": "a", "output": "b"}
        assert alpaca(row | {"good": False}, verdict="good") == []
        assert alpaca(row | {"good": verdict}, verdict="good") == [
            "has no true or false in column 'good'"
        ]

    def test_ranked(self) -> None:
        layout: dict[str, Any] = {"ranked": RANKED, "response": None}
        row = {"instruction": "a", "chosen": "b", "rejected": "c"}
        assert alpaca(row, **layout) == []
        assert alpaca(row | {"rejected": None}, **layout) == ["has no text in column 'rejected'"]


class TestShareGpt:
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
        assert sharegpt({"conversations": turns(*roles)}) == []

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
            ([{"from": "system"}, *turns("human", "gpt")], "turn 1 has no text in 'value'"),
            ([{"from": "human"}, *turns("gpt")], "turn 1 has no text in 'value'"),
            ([{"from": ["human"], "value": "a"}, *turns("gpt")], "turn 1 has 'from' ['human']"),
            ([{"value": "a"}, *turns("gpt")], "turn 1 has 'from' None"),
        ],
    )
    def test_conversations_that_would_be_skipped(self, conversation: Any, said: str) -> None:
        assert said in "; ".join(sharegpt({"conversations": conversation}))

    def test_what_was_right_once_is_looked_at_again(self) -> None:
        rows = ShareGptRows(SHAREGPT, NO_MEDIA)
        good = {"conversations": turns("human", "gpt")}
        assert rows.problems(good) == rows.problems(good) == []
        broken = [{"from": "human", "value": None}, {"from": "gpt", "value": "b"}]
        assert rows.problems({"conversations": broken}) == ["turn 1 has no text in 'value'"]
        assert rows.problems({"conversations": turns("gpt", "human")}) != []

    @pytest.mark.parametrize(
        ("call", "said"),
        [
            (CALL, None),
            (f"[{CALL}, {CALL}]", None),
            (f"<think>\nwell\n</think>\n\n{CALL}", None),
            ("f(1)", "holds no call (JSON with name and arguments)"),
            ('{"name": "f"', "is not valid JSON (character 13: Expecting ',' delimiter)"),
            ('{"arguments": {}}', "has a call without a name"),
            ('{"name": "f"}', "has a call of f whose arguments are no object"),
            ('{"name": "f", "arguments": "{}"}', "has a call of f whose arguments are no object"),
            ("[1]", "has a call without a name"),
        ],
    )
    def test_calls(self, call: str, said: str | None) -> None:
        conversation = [*turns("human"), {"from": "function_call", "value": call}]
        found = sharegpt({"conversations": conversation})
        assert found == ([f"turn 2 {said}"] if said else [])

    def test_ranked_answers_are_turns_after_a_question(self) -> None:
        chosen, rejected = turns("gpt", "gpt")
        good = {"conversations": turns("human"), "chosen": chosen, "rejected": rejected}
        assert sharegpt(good, ranked=RANKED) == []
        answered = good | {"conversations": turns("human", "gpt")}
        assert sharegpt(answered, ranked=RANKED) == [
            "must end with a question in column 'conversations'"
        ]
        assert sharegpt(good | {"chosen": "text"}, ranked=RANKED) == [
            "has no turn in column 'chosen'"
        ]
        assert sharegpt(good | {"chosen": {"from": "gpt"}}, ranked=RANKED) == [
            "column 'chosen' has no text in 'value'"
        ]
        (said,) = sharegpt(good | {"rejected": turns("human")[0]}, ranked=RANKED)
        assert said.startswith("column 'rejected' has 'from' 'human'")


def message(role: str, content: Any = "text", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def calling(arguments: Any, name: str = "f") -> dict[str, Any]:
    call = {"function": {"name": name, "arguments": arguments}}
    return message("assistant", None, tool_calls=[call])


class TestOpenAi:
    @pytest.mark.parametrize(
        "messages",
        [
            [message("user"), message("assistant")],
            [message("system"), message("user"), message("assistant")],
            [message("user"), calling({"a": 1}), message("tool"), message("tool"),
             message("assistant")],
            [message("user"), message("function_call", CALL), message("tool"),
             message("assistant")],
        ],
    )  # fmt: skip
    def test_messages_in_turn_are_right(self, messages: Any) -> None:
        assert OpenAiRows(OPENAI, NO_MEDIA).problems({"messages": messages}) == []

    @pytest.mark.parametrize(
        ("messages", "said"),
        [
            ([message("human"), message("assistant")], "turn 1 has 'role' 'human', not one of"),
            ([message("user"), message("assistant", None)], "turn 2 has no text in 'content'"),
            ([message("user", [{"type": "text"}]), message("assistant")], "turn 1 has no text"),
            ([message("user"), calling({"a": 1}), message("tool")], "must end with an answer"),
            ([message("user"), calling('{"a": 1}')], "turn 2 has a call of f whose arguments"),
            ([message("user"), message("assistant", tool_calls="f")], "turn 2 has no list in"),
            ([message("user"), message("assistant", tool_calls=["f"])], "a call without a name"),
            ([message("user"), message("user"), message("assistant")], "turn 2 has 'role' 'user'"),
        ],
    )
    def test_messages_that_would_be_lost(self, messages: Any, said: str) -> None:
        found = OpenAiRows(OPENAI, NO_MEDIA).problems({"messages": messages})
        assert said in "; ".join(found)

    def test_a_ranked_question_must_not_end_with_a_tools_result(self) -> None:
        rows = OpenAiRows(replace(OPENAI, ranked=RANKED), NO_MEDIA)
        answer = message("assistant")
        row = {"messages": [message("user"), calling({"a": 1}), message("tool")]}
        assert rows.problems(row | {"chosen": answer, "rejected": answer}) == [
            "ends with the result of a tool, which LLaMA-Factory passes over"
        ]

    def test_calls_must_have_one_form(self) -> None:
        rows = OpenAiRows(OPENAI, NO_MEDIA)

        def problems(arguments: Any) -> list[str]:
            return rows.problems({"messages": [message("user"), calling(arguments)]})

        assert problems({"a": [1, 2], "b": None}) == []
        assert problems({"a": [3], "b": {"c": 1}}) == []
        for other in ({"a": [1]}, {"a": ["x"], "b": None}, {"a": 1, "b": None}):
            (said,) = problems(other)
            assert "with other arguments than calls before it" in said

    def test_tools_are_a_text_or_of_one_form(self) -> None:
        rows = OpenAiRows(OPENAI, NO_MEDIA)
        row = {"messages": [message("user"), message("assistant")]}
        assert rows.problems(row | {"tools": '[{"name": "f"}]'}) == []
        assert rows.problems(row | {"tools": [{"name": "f", "x": {}}]}) == []
        assert rows.problems(row | {"tools": [{"x": {}}]}) == [
            "column 'tools' has no name in tool 1"
        ]
        (said,) = rows.problems(row | {"tools": [{"name": "g"}]})
        assert "tools of different forms" in said


class TestMedia:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "media/deep").mkdir(parents=True)
        (tmp_path / "media/deep/a.png").write_bytes(b"a")
        return tmp_path / "media"

    @pytest.mark.parametrize(
        ("names", "count", "said"),
        [
            (None, 0, []),
            ([], 0, []),
            ("deep/a.png", 1, []),
            (["deep/a.png", "deep/a.png"], 2, []),
            ([["deep/a.png", "deep/a.png"]], 1, []),
            ("b.png", 1, ["has 'b.png' in column 'i', which is no file in media"]),
            ("deep", 1, ["has 'deep' in column 'i', which is no file in media"]),
            ("../media/deep/a.png", 1, ["has '../media/deep/a.png' in column 'i', which lies "
                                        "outside media_dir"]),
            ("/a.png", 1, ["has '/a.png' in column 'i', which lies outside media_dir"]),
            ({"path": "a"}, 1, ["has no path and no list of paths in column 'i'"]),
            ("deep/a.png", 2, ["has <image> 2 times in its texts, and 1 in column 'i'"]),
            (None, 1, ["has <image> 1 times in its texts, and 0 in column 'i'"]),
        ],
    )  # fmt: skip
    def test_files_and_placeholders(
        self, folder: Path, names: Any, count: int, said: list[str]
    ) -> None:
        media = Media([("<image>", "i")], folder)
        assert media.problems({"i": names}, ["<image>" * count]) == said

    def test_where_placeholders_count_in_questions_and_answers(self, folder: Path) -> None:
        layout = replace(ALPACA, history="h", system="s", media=(("<image>", "i"),))
        rows = AlpacaRows(layout, Media(layout.media, folder))
        row = {
            "instruction": "<image>", "input": "<image>", "output": "<image>", "s": "<image>",
            "h": [["<image>", "<image>"]], "i": ["deep/a.png"] * 5,
        }  # fmt: skip
        assert rows.problems(row) == []

    def test_where_placeholders_count_in_conversations(self, folder: Path) -> None:
        layout = replace(SHAREGPT, ranked=RANKED, media=(("<image>", "i"),))
        rows = ShareGptRows(layout, Media(layout.media, folder))
        said = {"value": "<image>"}
        row = {
            "conversations": [{"from": "system", **said}, {"from": "human", **said}],
            "chosen": {"from": "gpt", **said}, "rejected": {"from": "gpt", **said},
            "i": ["deep/a.png"] * 2,
        }  # fmt: skip
        assert rows.problems(row) == []
