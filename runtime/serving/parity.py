"""Whether Ollama asks a model in the tokens that it was trained on: asked of the server itself.

The prompt is the server's own rendering of a conversation. Its tokens are what the server made of
that prompt: `context` of an answer that ends before its first token, with the token in front of all
that `prompt_eval_count` counts as well.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plan.chat_parity import ChatParity
from runtime.docker import archive
from runtime.docker.engine import Engine
from runtime.failure import StepError
from runtime.serving.ollama import Ollama

AS_IT_IS = "{{ .Prompt }}"
AT_ONCE = {"num_predict": 2, "stop": [""]}
"""Options of an answer that is cut off before its first token. With one token as the limit, the
engine that Ollama has of its own for newer families keeps that token."""

SHOWN = 3
"""Tokens told before the first that differs."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What LLaMA-Factory made of the conversations."""

    begin: int | None
    """Id of the beginning-of-sequence token; None where the tokenizer has none."""
    written: Mapping[str, str]
    """What the names in the Modelfile stand for, which only training could tell."""
    tokens: Mapping[str, list[tuple[int, str]]]
    """Id and text of each token, by conversation."""


def read_encoding(engine: Engine, server: str, path: str) -> Encoding:
    """The encoding, out of the output volume that the server mounts too."""
    found = archive.read_json(engine, server, path)
    if found is None:
        raise StepError(
            f"{path}, which says how the model was trained to read conversations, is gone. "
            "Run `pulumi up --refresh`, which makes it again"
        )
    return Encoding(
        begin=found["begin"],
        written={"{{ " + name + " }}": text for name, text in found["written"].items()},
        tokens={
            name: [(token, text) for token, text in tokens]
            for name, tokens in found["shapes"].items()
        },
    )


def compare(ollama: Ollama, model: str, parity: ChatParity, encoding: Encoding) -> dict[str, str]:
    """How each conversation differs from training; empty where it does not."""
    common = {"model": model, "stream": False}
    rendered = ollama.post(
        "/api/chat",
        [
            {**common, **request.body, "_debug_render_only": True, "truncate": False}
            for request in parity.requests
        ],
    )
    prompts = [_prompt(answer) for answer in rendered]
    read = ollama.post(
        "/api/generate",
        [{**common, "prompt": p, "template": AS_IT_IS, "options": AT_ONCE} for p in prompts],
    )
    return {
        request.name: _difference(encoding, request.name, prompt, answer)
        for request, prompt, answer in zip(parity.requests, prompts, read, strict=True)
    }


def _prompt(answer: Mapping[str, Any]) -> str:
    try:
        return str(answer["_debug_info"]["rendered_template"])
    except (KeyError, TypeError):
        raise StepError(
            f"the Ollama server does not tell how it writes a conversation: {json.dumps(answer)}\n"
            "  Use the version of Ollama that the stack is made for: leave images.ollama.version "
            "unset"
        ) from None


def _difference(encoding: Encoding, name: str, prompt: str, answer: Mapping[str, Any]) -> str:
    trained = encoding.tokens[name]
    try:
        asked, count = list(answer["context"]), int(answer["prompt_eval_count"])
    except (KeyError, TypeError):
        raise StepError(
            f"the Ollama server does not tell the tokens of a prompt: {json.dumps(answer)}\n"
            "  Use the version of Ollama that the stack is made for: leave images.ollama.version "
            "unset"
        ) from None
    if count == len(asked) + 1 and encoding.begin is not None:
        asked.insert(0, encoding.begin)
    expected = [token for token, _ in trained]
    if asked == expected and count == len(expected):
        return ""
    at = next(
        (i for i, (a, b) in enumerate(zip(asked, expected, strict=False)) if a != b),
        min(len(asked), len(expected)),
    )
    told = "".join(text for _, text in trained[max(0, at - SHOWN) : at])
    want = f"{trained[at][0]} ({trained[at][1]!r})" if at < len(trained) else "the end"
    got = str(asked[at]) if at < len(asked) else "the end"
    return (
        f"token {at + 1}, after {told!r}: trained on {want}, asked with {got}; "
        f"{len(expected)} tokens and {count}; Ollama wrote {prompt!r}"
    )
