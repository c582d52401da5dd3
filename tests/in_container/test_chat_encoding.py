"""Conversations as clients send them become what LLaMA-Factory's loader gives its templates."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.images.conftest import load_program

chat_encoding = load_program(Path(__file__).parents[2] / "in_container/chat_encoding.py")
WORDS = ("<think>\n", "\n</think>\n\n")
CALL = {"function": {"name": "find", "arguments": {"bird": "苍鹭"}}}


def test_roles_and_texts() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
        {"role": "assistant", "content": "Hi.", "thinking": "Greet."},
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "Here."},
    ]
    system, turns = chat_encoding.training_messages(messages, WORDS)
    assert system == "Be brief."
    assert [turn["role"] for turn in turns] == [
        "user",
        "assistant",
        "user",
        "function",
        "observation",
    ]
    assert turns[1]["content"] == "<think>\nGreet.\n</think>\n\nHi."
    assert json.loads(turns[3]["content"]) == [CALL["function"]]
    assert "苍鹭" in turns[3]["content"], "as the data has it, not escaped"


class Template(SimpleNamespace):
    """Tells how it is asked; ids of prompts are even, those of answers odd."""

    def encode_multiturn(self, *given: Any, discarding_history_cot: bool) -> Any:
        self.asked.append((self.enable_thinking, discarding_history_cot, *given[1:]))
        return [([2, 4], [1]), ([6], [3, 5])]

    def encode_oneturn(self, *given: Any) -> Any:
        self.asked.append((self.enable_thinking, *given[1:]))
        return [2, 4, 1, 6], [3, 5]


def encode(template: Template, *, think: bool | None = None, **how: bool) -> list[int]:
    shape = {"messages": [{"role": "user", "content": "a"}], "tools": [], "think": think}
    ids: list[int] = chat_encoding.encode(template, None, shape, **how)
    return ids


def template(enable_thinking: bool | None) -> Template:
    return Template(enable_thinking=enable_thinking, thought_words=WORDS, asked=[])


def test_the_prompt_ends_where_the_model_answers() -> None:
    asked = template(True)
    assert encode(asked) == [2, 4, 1, 6]
    assert encode(asked, one_turn=True) == [2, 4, 1, 6]
    assert encode(asked, discards_history=True) == [2, 4, 1, 6]
    assert [entry[1] for entry in (asked.asked[0], asked.asked[2])] == [False, True]


def test_a_client_that_wants_no_thoughts() -> None:
    for trained, think, seen in (
        (True, None, True),
        (True, False, False),
        (None, None, True),
        (None, False, False),
        (False, None, False),
    ):
        asked = template(trained)
        encode(asked, think=think)
        assert asked.asked[0][0] is seen
        assert asked.enable_thinking is trained, "the template is left as it is"
