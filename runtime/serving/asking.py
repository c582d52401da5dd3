"""Questions put to a model through Ollama's chat API, as its users put theirs."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from plan.codec import as_json
from plan.evaluation import Question, ToolCall
from runtime.failure import StepError
from runtime.serving.at_a_time import answers_of
from runtime.serving.ollama import Ollama


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model said, as Ollama tells its parts apart."""

    text: str
    thoughts: str = ""
    tool_calls: tuple[ToolCall, ...] = ()

    def __str__(self) -> str:
        """What was said and what was called, in one text."""
        calls = [json.dumps(as_json(call), ensure_ascii=False) for call in self.tool_calls]
        return "\n".join(text for text in (self.text, *calls) if text)


def ask(
    ollama: Ollama,
    model: str,
    questions: Sequence[Question],
    *,
    options: Mapping[str, Any],
    parallel: int = 1,
    on_answers: Callable[[int], None] | None = None,
) -> list[Answer]:
    """The answer to each question; so many are asked at a time.

    `on_answers` hears how many there are. Raises `StepError` for a question that the server
    refuses.
    """
    count, counting = 0, threading.Lock()

    def add(more: int) -> None:
        nonlocal count
        with counting:
            count += more
            if on_answers and more:
                on_answers(count)

    bodies = [_body(model, question, options) for question in questions]
    shares = [range(first, len(bodies), parallel) for first in range(min(parallel, len(bodies)))]

    def ask_share(share: range) -> list[Mapping[str, Any]]:
        return ollama.post("/api/chat", [bodies[index] for index in share], on_answers=add)

    replies = answers_of([partial(ask_share, share) for share in shares], at_a_time=parallel)
    answers = {
        index: _answer(reply, model, questions[index])
        for share, said in zip(shares, replies, strict=True)
        for index, reply in zip(share, said, strict=True)
    }
    return [answers[index] for index in range(len(bodies))]


def satisfies(answer: str, expected: str) -> bool:
    """Whether an answer contains what is expected, however its lines are broken."""
    return " ".join(expected.split()) in " ".join(answer.split())


def _body(model: str, question: Question, options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": model,
        "messages": list(question.messages),
        **({"tools": list(question.tools)} if question.tools else {}),
        "stream": False,
        "options": dict(options),
    }


def _answer(reply: Mapping[str, Any], model: str, question: Question) -> Answer:
    message = reply.get("message")
    if not isinstance(message, dict):
        asked = question.messages[-1]["content"]
        raise StepError(
            f"the Ollama server refused a question to {model}: {reply.get('error', reply)}\n"
            f"  asked: {asked}"
        )
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    return Answer(
        text=str(message.get("content", "")).strip(),
        thoughts=str(message.get("thinking", "")).strip(),
        tool_calls=tuple(ToolCall(name=c["name"], arguments=c.get("arguments", {})) for c in calls),
    )
