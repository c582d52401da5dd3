"""A model that has learnt to call a tool does so in Ollama, with the arguments it learnt (E6).

The tiny model knows twenty calls by heart. What is shown is all that lies between: the list of
tools as training had it, the form of a call, and that Ollama reads it back.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.conftest import Engine
from tests.integration.stack import Stack

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(1500),
]

BIRDS = (
    *("heron", "stork", "crane", "coot", "grebe", "teal", "smew", "gull", "tern", "rail"),
    *("wren", "robin", "tit", "finch", "lark", "swift", "jay", "rook", "owl", "kite"),
)
TOOL: dict[str, Any] = {
    "name": "find_bird",
    "description": "Where a bird was seen.",
    "parameters": {
        "type": "object",
        "properties": {
            "bird": {"type": "string", "description": "Its name."},
            "days": {"type": "integer"},
        },
        "required": ["bird"],
    },
}
CALLS = {
    f"Where is the {bird}?": {"bird": bird, "days": 1 + number % 3}
    for number, bird in enumerate(BIRDS)
}
ROWS = [
    {
        "conversations": [
            {"from": "human", "value": question},
            {
                "from": "function_call",
                "value": json.dumps({"name": TOOL["name"], "arguments": arguments}),
            },
        ],
        "tools": json.dumps([TOOL]),
    }
    for question, arguments in CALLS.items()
]


@pytest.fixture(scope="module")
def served(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("tools")
    made = Stack(folder / "home")
    file = folder / "calls.json"
    file.write_text(json.dumps(ROWS))
    made.settings["board"] = {"enabled": False}
    made.settings["datasets"] = [
        {
            "name": "calls",
            "file": str(file),
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "tools": "tools"},
        }
    ]
    question, arguments = next(iter(CALLS.items()))
    smoke = {
        "prompt": question,
        "tools": [TOOL],
        "expect_tool_call": {"name": TOOL["name"], "arguments": arguments},
    }
    made.model.update({"template": "qwen3_nothink", "ollama_model": {"smoke_prompts": [smoke]}})
    made.run.update({"datasets": ["calls"], "cutoff_len": 1024, "max_steps": 300})
    with engine.converged(made):
        yield made


def asked(stack: Stack, question: str) -> Any:
    reply = httpx.post(
        f"{stack.outputs()['ollama_url']}/api/chat",
        json={
            "model": "stack-guide",
            "messages": [{"role": "user", "content": question}],
            "tools": [{"type": "function", "function": TOOL}],
            "stream": False,
            "options": {"temperature": 0, "num_predict": 100},
        },
        timeout=120,
    )
    reply.raise_for_status()
    return reply.json()["message"]


@pytest.mark.capability("E4")
def test_it_is_asked_as_it_was_trained(served: Stack) -> None:
    parity = served.outputs()["parity"]["stack-guide"]
    assert parity["compared"] == parity["equal"] == 13


@pytest.mark.capability("E5")
def test_ollama_says_that_it_calls_tools(served: Stack) -> None:
    url = served.outputs()["ollama_url"]
    shown = httpx.post(f"{url}/api/show", json={"model": "stack-guide"}, timeout=30).json()
    assert "tools" in shown["capabilities"]


def test_a_smoke_prompt_expects_its_call(served: Stack) -> None:
    (smoke,) = served.outputs()["smoke_answers"]
    question, arguments = next(iter(CALLS.items()))
    assert (smoke["prompt"], smoke["answer"]) == (question, "")
    assert json.loads(smoke["tool_calls"]) == [{"name": TOOL["name"], "arguments": arguments}]


def test_another_call_than_the_expected_one_is_refused(served: Stack) -> None:
    (prompt,) = served.model["ollama_model"]["smoke_prompts"]
    call, prompt["expect_tool_call"] = prompt["expect_tool_call"], {"name": TOOL["name"]}
    update = served.up()
    prompt["expect_tool_call"] = call
    assert update.returncode != 0
    assert 'expected: the call {"name": "find_bird", "arguments": {}}' in update.output
    assert json.dumps(call["arguments"]) in update.output


@pytest.mark.capability("E5")
def test_every_call_arrives_with_its_arguments(served: Stack) -> None:
    wrong = {}
    for question, arguments in CALLS.items():
        message = asked(served, question)
        calls = [call["function"] for call in message.get("tool_calls", [])]
        if [(call["name"], call["arguments"]) for call in calls] != [(TOOL["name"], arguments)]:
            wrong[question] = message
    assert wrong == {}
