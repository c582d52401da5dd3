"""A model against its training, with the server's answers given: what is told of a difference."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from plan.chat_parity import ChatParity, ChatRequest
from runtime.failure import StepError
from runtime.serving.ollama import Ollama
from runtime.serving.parity import Encoding, compare

TRAINED = [(1, "<s>"), (7, "[INST]"), (40, " Hi"), (8, "[/INST]")]
ENCODING = Encoding(begin=1, written={}, tokens={"one turn": TRAINED})
PARITY = ChatParity(
    encoding="/e.json",
    requests=(ChatRequest(name="one turn", body={"messages": [{"role": "user"}]}),),
    is_required=True,
)


class Server:
    """Answers as Ollama 0.17.4 does."""

    def __init__(self, *answers: Mapping[str, Any]) -> None:
        self.answers, self.asked = list(answers), []  # type: ignore[var-annotated]

    def post(self, path: str, bodies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        self.asked.append((path, bodies))
        return [self.answers.pop(0)]


def asked_with(tokens: list[int], count: int) -> tuple[str, Server]:
    server = Server(
        {"_debug_info": {"rendered_template": "[INST] Hi[/INST]"}},
        {"context": tokens, "prompt_eval_count": count},
    )
    found = compare(cast("Ollama", server), "candidate", PARITY, ENCODING)
    return found["one turn"], server


def test_equal_with_the_token_that_the_tokenizer_writes_first() -> None:
    difference, server = asked_with([7, 40, 8], 4)
    assert difference == ""
    (render, rendering), (read, reading) = server.asked
    assert (render, read) == ("/api/chat", "/api/generate")
    assert rendering[0]["_debug_render_only"] is True
    assert reading[0]["prompt"] == "[INST] Hi[/INST]"
    assert {body["model"] for body in (*rendering, *reading)} == {"candidate"}


@pytest.mark.parametrize(
    ("tokens", "count", "told"),
    [
        ([7, 40, 8], 3, "token 1, after '': trained on 1 ('<s>'), asked with 7"),
        ([1, 7, 40, 8], 5, "token 2, after '<s>': trained on 7 ('[INST]'), asked with 1"),
        ([7, 41, 8], 4, "token 3, after '<s>[INST]': trained on 40 (' Hi'), asked with 41"),
        ([7, 40], 3, "token 4, after '<s>[INST] Hi': trained on 8 ('[/INST]'), asked with the end"),
        ([7, 40, 8, 9], 5, "trained on the end, asked with 9"),
        # Nobody says which token it is, and it is one too many.
        ([1, 7, 40, 8], 6, "4 tokens and 6"),
    ],
)
def test_the_first_token_that_differs(tokens: list[int], count: int, told: str) -> None:
    difference, _ = asked_with(tokens, count)
    assert told in difference
    assert "'[INST] Hi[/INST]'" in difference


def test_a_server_that_tells_nothing() -> None:
    with pytest.raises(StepError, match=r"images\.ollama\.version"):
        compare(cast("Ollama", Server({"message": {}})), "c", PARITY, ENCODING)
    rendered = {"_debug_info": {"rendered_template": "x"}}
    with pytest.raises(StepError, match="does not tell the tokens"):
        compare(cast("Ollama", Server(rendered, {"response": ""})), "c", PARITY, ENCODING)
