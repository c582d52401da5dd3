"""Data sets that are right, and rows that are refused, with what LLaMA-Factory makes of either."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Rows = list[dict[str, Any]]
TOOL = {"name": "weather", "description": "d", "parameters": {"type": "object", "properties": {}}}
TOOLS = json.dumps([TOOL])
CALL = json.dumps({"name": "weather", "arguments": {"city": "Paris"}})
OPENAI_CALL = {"id": "1", "type": "function", "function": json.loads(CALL)}
PAD = "x" * 1000


@dataclass(frozen=True, kw_only=True)
class Good:
    """A data set that is registered, and what a run then trains on."""

    files: Mapping[str, str | bytes]
    """The first is the data set's, unless `settings` say otherwise."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    stage: str = "sft"
    examples: int
    text: str
    """Must be in the first example, as it is trained."""


@dataclass(frozen=True, kw_only=True)
class Bad:
    """Rows that are refused, and why: what LLaMA-Factory does with them."""

    content: str | bytes
    said: str
    """In the refusal."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    stage: str = "sft"
    suffix: str = ".jsonl"
    raises: str | None = None
    """The release stops with this."""
    examples: int | None = None
    """The release goes on with these many of two rows."""
    trains: str | None = None
    """The release trains on this."""


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def turns(*said: tuple[str, Any], role: str = "from", content: str = "value") -> Rows:
    return [{role: speaker, content: text} for speaker, text in said]


def messages(*said: tuple[str, Any]) -> Rows:
    return turns(*said, role="role", content="content")


ANSWERED = {"instruction": "What is it?", "output": "A stack."}
TALK = {"conversations": turns(("human", "What is it?"), ("gpt", "A stack."))}
CHAT = {"messages": messages(("user", "What is it?"), ("assistant", "A stack."))}
OPENAI = {"formatting": "openai"}
SHAREGPT = {"formatting": "sharegpt"}
TRAINED = "What is it?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nA stack.<|eot_id|>"

GOOD: dict[str, Good] = {
    "json_list": Good(
        files={"a.json": json.dumps([ANSWERED, ANSWERED], indent=2)}, examples=2, text=TRAINED
    ),
    "json_lines_with_mark_and_crlf": Good(
        files={
            "a.jsonl": b"\xef\xbb\xbf"
            + lines(ANSWERED, ANSWERED).replace("\n", "\r\n\r\n").encode()
        },
        examples=2,
        text=TRAINED,
    ),
    "json_list_with_mark": Good(
        files={"a.json": b"\xef\xbb\xbf" + json.dumps([ANSWERED]).encode()},
        examples=1,
        text=TRAINED,
    ),
    "csv_with_mark": Good(
        files={"a.csv": b"\xef\xbb\xbfinstruction,output\nWhat is it?,A stack.\n"},
        examples=1,
        text=TRAINED,
    ),
    "lines_called_json": Good(files={"a.json": lines(ANSWERED)}, examples=1, text=TRAINED),
    "list_called_jsonl": Good(files={"a.jsonl": json.dumps([ANSWERED])}, examples=1, text=TRAINED),
    "several_rows_in_a_line": Good(
        files={"a.jsonl": json.dumps(ANSWERED) + " " + json.dumps(ANSWERED)},
        examples=2,
        text=TRAINED,
    ),
    "inputs": Good(
        files={"a.json": json.dumps([{**ANSWERED, "input": "This one."}, ANSWERED])},
        examples=2,
        text="What is it?\nThis one.<|eot_id|>",
    ),
    "question_in_the_input_alone": Good(
        files={"a.json": json.dumps([{"instruction": "", "input": "Why?", "output": "So."}])},
        examples=1,
        text="\n\nWhy?<|eot_id|>",
    ),
    "history_system_tools": Good(
        files={
            "a.jsonl": lines(
                {**ANSWERED, "past": [["Hi.", "Hello."]], "who": "Be brief.", "can": TOOLS},
                {**ANSWERED, "past": None, "who": None, "can": None},
                ANSWERED,
            )
        },
        settings={"columns": {"history": "past", "system": "who", "tools": "can"}},
        examples=3,
        text="Hello.<|eot_id|>",
    ),
    "texts": Good(
        files={"a.jsonl": lines({"text": "Words alone."})},
        settings={"columns": {"prompt": "text"}},
        stage="pt",
        examples=1,
        text="Words alone.",
    ),
    "ranked": Good(
        files={"a.jsonl": lines({"instruction": "Hi", "chosen": "Yes.", "rejected": "No."})},
        settings={"ranking": True},
        stage="dpo",
        examples=1,
        text="Yes.<|eot_id|>",
    ),
    "judged": Good(
        files={"a.jsonl": lines(*({**ANSWERED, "good": good} for good in (True, False)))},
        settings={"columns": {"kto_tag": "good"}},
        stage="kto",
        examples=2,
        text=TRAINED,
    ),
    "prompts_for_ppo": Good(
        files={"a.jsonl": lines({"instruction": "What is it?"})},
        stage="ppo",
        examples=1,
        text="What is it?",
    ),
    "conversations": Good(
        files={
            "a.json": json.dumps(
                [{"conversations": turns(("system", "Be brief."), ("human", "a"), ("gpt", "b"))}]
            )
        },
        settings=SHAREGPT,
        examples=1,
        text="Be brief.<|eot_id|>",
    ),
    "tool_calls": Good(
        files={
            "a.jsonl": lines(
                {
                    "conversations": turns(
                        ("human", "How is it?"),
                        ("function_call", CALL),
                        ("observation", "Sunny."),
                        ("gpt", "It is sunny."),
                    ),
                    "tools": TOOLS,
                }
            )
        },
        settings={**SHAREGPT, "columns": {"tools": "tools"}},
        examples=1,
        text='{"name": "weather", "parameters": {"city": "Paris"}}<|eot_id|>',
    ),
    "ranked_conversations": Good(
        files={
            "a.jsonl": lines(
                {
                    "conversations": turns(("human", "Hi")),
                    "chosen": turns(("gpt", "Yes."))[0],
                    "rejected": turns(("gpt", "No."))[0],
                }
            )
        },
        settings={**SHAREGPT, "ranking": True},
        stage="rm",
        examples=1,
        text="Yes.<|eot_id|>",
    ),
    "judged_conversations": Good(
        files={"a.jsonl": lines(*({**TALK, "good": good} for good in (True, False)))},
        settings={**SHAREGPT, "columns": {"kto_tag": "good"}},
        stage="kto",
        examples=2,
        text=TRAINED,
    ),
    "openai_messages": Good(
        files={
            "a.jsonl": lines(
                {
                    "messages": [
                        *messages(("system", "Be brief."), ("user", "How is it?")),
                        {"role": "assistant", "content": None, "tool_calls": [OPENAI_CALL]},
                        *messages(("tool", "Sunny."), ("tool", "Warm."), ("assistant", "Fine.")),
                    ],
                    "tools": [{"type": "function", "function": TOOL}],
                }
            )
        },
        settings={**OPENAI, "columns": {"tools": "tools"}},
        examples=1,
        text='{"name": "weather", "parameters": {"city": "Paris"}}<|eot_id|>',
    ),
    "csv": Good(
        files={"a.csv": 'instruction,input,output\n"What is it?",,"A ""big"",\nstack."\n\n'},
        examples=1,
        text='A "big",\nstack.<|eot_id|>',
    ),
    "csv_judged": Good(
        files={"a.csv": "instruction,output,good\nWhat is it?,A stack.,True\nb,No.,FALSE\n"},
        settings={"columns": {"kto_tag": "good"}},
        stage="kto",
        examples=2,
        text=TRAINED,
    ),
    "txt": Good(
        files={"a.txt": "One line.\r\n\nAnother.\n"}, stage="pt", examples=3, text="One line."
    ),
    "txt_with_mark": Good(
        # The first text begins with what the operator sees, and not with the mark.
        files={"a.txt": b"\xef\xbb\xbfOne line.\n"},
        stage="pt",
        examples=1,
        text="One line.<|end_of_text|>",
    ),
    "folder": Good(
        files={"many/a.jsonl": lines(ANSWERED), "many/b.json": json.dumps([ANSWERED])},
        settings={"file": "many"},
        examples=2,
        text=TRAINED,
    ),
    "half_of_it": Good(
        files={"a.jsonl": lines(*[ANSWERED] * 4)},
        settings={"split": "train[:50%]"},
        examples=2,
        text=TRAINED,
    ),
    "more_than_there_is": Good(
        files={"a.jsonl": lines(ANSWERED)}, settings={"num_samples": 5}, examples=5, text=TRAINED
    ),
}

ALPACA = {"columns": {"prompt": "instruction", "response": "output"}}
RANKED = {
    "ranking": True,
    "columns": {"prompt": "instruction", "chosen": "chosen", "rejected": "rejected"},
}
MESSAGES = {"formatting": "sharegpt", "columns": {"messages": "conversations"}}
CHATS = {"formatting": "openai", "columns": {"messages": "messages"}}


def column(name: str, **settings: Any) -> dict[str, Any]:
    return {"columns": {**ALPACA["columns"], name: "extra"}, **settings}


def after_a_good_row(**row: Any) -> str:
    return lines(ANSWERED, row)


def talk(*said: tuple[str, Any]) -> str:
    return lines(TALK, {"conversations": turns(*said)})


def chat(*said: dict[str, Any]) -> str:
    return lines(CHAT, {"messages": said})


BAD: dict[str, Bad] = {
    "no_answer": Bad(
        content=after_a_good_row(instruction="a", output=None),
        said="line 2 has no text in column 'output'",
        settings=ALPACA,
        examples=1,
    ),
    "empty_answer": Bad(
        content=lines({"instruction": "a", "output": ""}, ANSWERED),
        said="line 1 has no text in column 'output'",
        settings=ALPACA,
        trains="a<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n<|eot_id|>",
    ),
    "empty_question": Bad(
        content=lines({"instruction": None, "output": "b"}, ANSWERED),
        said="line 1 has no text in column 'instruction'",
        settings=ALPACA,
        trains="user<|end_header_id|>\n\n<|eot_id|>",
    ),
    "answers_are_numbers": Bad(
        content=lines({"instruction": "a", "output": 1}, {"instruction": "a", "output": 2}),
        said="line 1 has no text in column 'output'",
        settings=ALPACA,
        raises="Cannot find valid samples",
    ),
    "answers_of_two_kinds": Bad(
        content=after_a_good_row(instruction="a", output=2),
        said="has a number in column 'output', and rows before it have text",
        settings=ALPACA,
        raises="changed from string to number",
    ),
    "other_column_of_two_kinds": Bad(
        content=lines({**ANSWERED, "id": "x"}, {**ANSWERED, "id": 3}),
        said="has a number in column 'id', and rows before it have text",
        settings=ALPACA,
        raises="changed from string to number",
    ),
    "list_of_two_kinds": Bad(
        content=json.dumps([{**ANSWERED, "id": "x"}, {**ANSWERED, "id": 3}]),
        said="row 2 has a number in column 'id', and rows before it have text",
        suffix=".json",
        settings=ALPACA,
        raises="Conversion failed for column id",
    ),
    "input_is_a_number": Bad(
        content=lines(*[{**ANSWERED, "extra": 3}] * 2),
        said="line 1 has no text in column 'extra'",
        settings=column("query"),
        raises="expected str instance, int found",
    ),
    "history_is_a_text": Bad(
        content=lines({**ANSWERED, "extra": "Hi. Hello."}, ANSWERED),
        said="line 1 has no list of pairs in column 'extra'",
        settings=column("history"),
        trains="<|start_header_id|>user<|end_header_id|>\n\n" + TRAINED,
    ),
    "history_of_three": Bad(
        content=lines({**ANSWERED, "extra": [["a", "b", "c"]]}, ANSWERED),
        said="line 1 has no question and answer in pair 1 of column 'extra'",
        settings=column("history"),
        raises="too many values to unpack",
    ),
    "history_with_nothing": Bad(
        content=lines({**ANSWERED, "extra": [["a", None]]}, ANSWERED),
        said="line 1 has no question and answer in pair 1 of column 'extra'",
        settings=column("history"),
        raises="Expected a string, got None",
    ),
    "system_is_a_number": Bad(
        content=lines(*[{**ANSWERED, "extra": 3}] * 2),
        said="line 1 has no text in column 'extra'",
        settings=column("system"),
        raises="TypeError",
    ),
    "tools_are_no_json": Bad(
        content=lines({**ANSWERED, "extra": "[weather]"}, ANSWERED),
        said="line 1 column 'extra' is not valid JSON (character 2: Expecting value)",
        settings=column("tools"),
        raises="Invalid JSON format in tool description",
    ),
    "tools_are_one_object": Bad(
        content=lines({**ANSWERED, "extra": json.dumps(TOOL)}, ANSWERED),
        said="line 1 column 'extra' is no list of tools",
        settings=column("tools"),
        raises="'str' object has no attribute 'get'",
    ),
    "tools_are_no_text": Bad(
        content=lines({**ANSWERED, "extra": [TOOL]}, ANSWERED),
        said="line 1 has no text in column 'extra': write the tools as JSON inside a text",
        settings=column("tools"),
        raises="the JSON object must be str, bytes or bytearray, not list",
    ),
    "no_verdict": Bad(
        content=lines({**ANSWERED, "extra": True}, {**ANSWERED, "extra": None}),
        said="line 2 has no true or false in column 'extra'",
        settings=column("kto_tag"),
        stage="kto",
        examples=1,
    ),
    "one_ranked_answer": Bad(
        content=lines(
            *({"instruction": "a", "chosen": "b", "rejected": worse} for worse in ("c", None))
        ),
        said="line 2 has no text in column 'rejected'",
        settings=RANKED,
        stage="dpo",
        examples=1,
    ),
    "out_of_turn": Bad(
        content=talk(("gpt", "a"), ("human", "b")),
        said="line 2 turn 1 has 'from' 'gpt', not one of human, observation",
        settings=MESSAGES,
        examples=1,
    ),
    "ends_with_a_question": Bad(
        content=talk(("human", "a"), ("gpt", "b"), ("human", "c")),
        said="line 2 must end with an answer in column 'conversations'",
        settings=MESSAGES,
        examples=1,
    ),
    "unknown_role": Bad(
        content=talk(("user", "a"), ("gpt", "b")),
        said="line 2 turn 1 has 'from' 'user', not one of human, observation",
        settings=MESSAGES,
        examples=1,
    ),
    "late_system_prompt": Bad(
        content=talk(("human", "a"), ("system", "b")),
        said="line 2 turn 2 has 'from' 'system', not one of gpt, function_call",
        settings=MESSAGES,
        examples=1,
    ),
    "no_turns": Bad(
        content=talk(),
        said="line 2 has no list of turns in column 'conversations'",
        settings=MESSAGES,
        examples=1,
    ),
    "nothing_for_turns": Bad(
        content=lines(TALK, {"conversations": None}),
        said="line 2 has no list of turns in column 'conversations'",
        settings=MESSAGES,
        raises="object of type 'NoneType' has no len()",
    ),
    "turn_without_text": Bad(
        content=talk(("human", None), ("gpt", "b")),
        said="line 2 turn 1 has no text in 'value'",
        settings=MESSAGES,
        raises="Expected a string, got None",
    ),
    "call_is_no_json": Bad(
        content=talk(("human", "a"), ("function_call", "weather(Paris)")),
        said="line 2 turn 2 holds no call (JSON with name and arguments)",
        settings=MESSAGES,
        raises="Invalid JSON format in function message",
    ),
    "call_is_broken_json": Bad(
        content=talk(("human", "a"), ("function_call", '{"name": "weather"')),
        said="line 2 turn 2 is not valid JSON (character 19",
        settings=MESSAGES,
        raises="Invalid JSON format in function message",
    ),
    "call_without_arguments": Bad(
        content=talk(("human", "a"), ("function_call", '{"name": "weather"}')),
        said="line 2 turn 2 has a call of weather whose arguments are no object",
        settings=MESSAGES,
        raises="KeyError: 'arguments'",
    ),
    "call_without_name": Bad(
        content=talk(("human", "a"), ("function_call", '{"arguments": {}}')),
        said="line 2 turn 2 has a call without a name",
        settings=MESSAGES,
        raises="KeyError: 'name'",
    ),
    "arguments_are_a_text": Bad(
        content=lines(
            {
                "conversations": turns(
                    ("human", "a"), ("function_call", '{"name": "f", "arguments": "{}"}')
                )
            },
            TALK,
        ),
        said="line 1 turn 2 has a call of f whose arguments are no object",
        settings=MESSAGES,
        trains='"parameters": "{}"',
    ),
    "ranked_answer_is_a_text": Bad(
        content=lines(
            *(
                {"conversations": turns(("human", "a")), "chosen": text, "rejected": text}
                for text in ("b", "c")
            )
        ),
        said="line 1 has no turn in column 'chosen'",
        settings={
            **SHAREGPT,
            **RANKED,
            "columns": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"},
        },
        stage="dpo",
        raises="Cannot find valid samples",
    ),
    "ranked_answer_of_the_user": Bad(
        content=lines(
            *(
                {
                    "conversations": turns(("human", "a")),
                    "chosen": turns((role, "b"))[0],
                    "rejected": turns(("gpt", "c"))[0],
                }
                for role in ("human", "gpt")
            )
        ),
        said="line 1 column 'chosen' has 'from' 'human', not one of gpt, function_call",
        settings={
            **SHAREGPT,
            **RANKED,
            "columns": {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"},
        },
        stage="dpo",
        trains="user<|end_header_id|>\n\nb<|eot_id|>",
    ),
    "openai_unknown_role": Bad(
        content=chat(*messages(("human", "a"), ("assistant", "b"))),
        said="line 2 turn 1 has 'role' 'human', not one of user, tool",
        settings=CHATS,
        raises="KeyError: 'human'",
    ),
    "openai_ends_with_a_tool": Bad(
        content=lines(
            {
                "messages": [
                    *messages(("user", "How is it?")),
                    {"role": "assistant", "content": "", "tool_calls": [OPENAI_CALL]},
                    *messages(("tool", "Sunny.")),
                ]
            },
            CHAT,
        ),
        said="line 1 must end with an answer in column 'messages'",
        settings=CHATS,
        trains='{"name": "weather", "parameters": {"city": "Paris"}}<|eot_id|>',
    ),
    "openai_arguments_are_a_text": Bad(
        content=lines(
            {
                "messages": [
                    *messages(("user", "a")),
                    {
                        "role": "assistant",
                        "content": "",
                        "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
                    },
                ]
            },
            CHAT,
        ),
        said="line 1 turn 2 has a call of f whose arguments are no object",
        settings=CHATS,
        trains='"parameters": "{}"',
    ),
    "openai_calls_of_two_forms": Bad(
        content=lines(
            *(
                {
                    "messages": [
                        *messages(("user", "a")),
                        {
                            "role": "assistant",
                            "content": "",
                            "tool_calls": [{"function": {"name": "f", "arguments": arguments}}],
                        },
                    ]
                }
                for arguments in ({"city": "Paris"}, {"hour": 3})
            )
        ),
        said="line 2 turn 2 has a call of f with other arguments than calls before it",
        settings=CHATS,
        trains='"parameters": {"city": "Paris", "hour": null}',
    ),
    "openai_tools_of_two_forms": Bad(
        content=lines(
            {**CHAT, "tools": [TOOL]}, {**CHAT, "tools": [{**TOOL, "parameters": {"hour": {}}}]}
        ),
        said="line 2 column 'tools' describes tools of different forms",
        settings={**CHATS, "columns": {"messages": "messages", "tools": "tools"}},
        trains='"hour": null',
    ),
    "openai_parts": Bad(
        content=lines(
            *[{"messages": messages(*((who, [{"type": "text"}]) for who in ("user", "assistant")))}]
            * 2
        ),
        said="line 1 turn 1 has no text in 'content'",
        settings=CHATS,
        raises="Expected a string, got [{",
    ),
    "row_is_no_object": Bad(
        content=lines(ANSWERED, "text"),
        said="line 2 is not an object",
        settings=ALPACA,
        raises="changed from object to string",
    ),
    "list_with_nothing": Bad(
        content=json.dumps([ANSWERED, None]),
        said="row 2 is not an object",
        suffix=".json",
        settings=ALPACA,
        raises="'NoneType' object has no attribute 'keys'",
    ),
    "broken_line": Bad(
        content=lines(ANSWERED) + '{"instruction": "a"\n',
        said="is not valid JSON (line 2, character 20",
        settings=ALPACA,
        raises="JSON parse error",
    ),
    "list_left_open": Bad(
        content="[" + json.dumps(ANSWERED),
        said="is not valid JSON (line 1, character 54: Expecting ',' or ']')",
        suffix=".json",
        settings=ALPACA,
        raises="JSON parse error",
    ),
    "half_a_character": Bad(
        content='{"instruction": "a", "output": "\\ud83d"}\n',
        said="holds \\ud83d alone, which is half a character (line 1)",
        settings=ALPACA,
        raises="surrogate",
    ),
    "latin_1": Bad(
        content=b'{"instruction": "a", "output": "\xe9"}\n',
        said="is not UTF-8 text (line 1)",
        settings=ALPACA,
        raises="codec can't decode",
    ),
    "no_rows": Bad(
        content="\n",
        said="must have at least one row",
        settings=ALPACA,
        raises="corresponds to no data",
    ),
    "late_column": Bad(
        content=lines(*[{**ANSWERED, "pad": PAD}] * 11_000, {**ANSWERED, "pad": PAD, "c": "x"}),
        said="line 11001 is the first with a value in column 'c'",
        settings=ALPACA,
        raises="1 new columns ({'c'})",
    ),
    "late_value": Bad(
        content=lines(
            *[{**ANSWERED, "c": None, "pad": PAD}] * 11_000, {**ANSWERED, "c": "x", "pad": PAD}
        ),
        said="line 11001 is the first with a value in column 'c'",
        settings=ALPACA,
        raises="Couldn't cast array of type string to null",
    ),
    "csv_numbers": Bad(
        content="instruction,output\na,1\nb,2\n",
        said="column 'output' holds nothing but numbers",
        suffix=".csv",
        settings=ALPACA,
        raises="Cannot find valid samples",
    ),
    "csv_text_after_numbers": Bad(
        content="instruction,output,id\n" + "a,b,1\n" * 10_000 + "a,b,x\n",
        said="line 10002 is the first with text in column 'id'",
        suffix=".csv",
        settings=ALPACA,
        raises="Failed to parse string: 'x'",
    ),
    "csv_missing_answer": Bad(
        content="instruction,output\na,None\nb,c\n",
        said="line 2 has no text in column 'output'",
        suffix=".csv",
        settings=ALPACA,
        examples=1,
    ),
    "csv_long_row": Bad(
        content="instruction,output\na,b\nc,d,e\n",
        said="has 3 cells in line 3, and names 2 columns",
        suffix=".csv",
        settings=ALPACA,
        raises="Expected 2 fields in line 3, saw 3",
    ),
    "csv_open_quote": Bad(
        content='instruction,output\n"a,b\n',
        said="is not valid CSV (after line 0",
        suffix=".csv",
        settings=ALPACA,
        raises="EOF inside string",
    ),
    "csv_history": Bad(
        content="instruction,output,extra\na,b,\"[['x', 'y']]\"\n",
        said="line 2 has no list of pairs in column 'extra'",
        suffix=".csv",
        settings=column("history"),
        trains="<|start_header_id|>user<|end_header_id|>\n\na<|eot_id|>",
    ),
    "latin_1_text": Bad(
        content=b"\xe9\n",
        said="is not UTF-8 text",
        suffix=".txt",
        settings={"columns": {"prompt": "text"}},
        stage="pt",
        raises="codec can't decode",
    ),
    "fewer_placeholders": Bad(
        content=lines({**ANSWERED, "extra": ["a.png"]}, ANSWERED),
        said="line 1 has <image> 0 times in its texts, and 1 in column 'extra'",
        settings=column("images", media_dir="."),
        raises="The number of images does not match the number of <image> tokens",
    ),
    "pictures_are_numbers": Bad(
        content=lines({**ANSWERED, "extra": [3]}, ANSWERED),
        said="line 1 has no path and no list of paths in column 'extra'",
        settings=column("images", media_dir="."),
        raises="The number of images does not match the number of <image> tokens",
    ),
    "no_parquet": Bad(
        content=b"{}" * 100,
        said="is no parquet file",
        suffix=".parquet",
        settings=ALPACA,
        raises="Parquet magic bytes not found",
    ),
    "no_arrow": Bad(
        content=b"{}" * 100,
        said="is no arrow file",
        suffix=".arrow",
        settings=ALPACA,
        raises="Not an Arrow file",
    ),
}
