"""Writes what LLaMA-Factory makes of conversations: the token ids that a model was trained to see.

Usage: chat_encoding.py REQUEST_JSON RESULT_JSON

The request names the model whose tokenizer counts, the template with the arguments of the training
that change it, and conversations as a client sends them to Ollama. The result holds, for each, the
ids up to where the model answers, and what the tokenizer decides: its own tokens, and spaces before
pieces of a conversation. Runs inside the LLaMA-Factory
image, by itself or in the process of a merge, which has imported all of it already.
"""

# ruff: noqa: PLC0415 - llamafactory is in the image only, and takes seconds to import

import copy
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

UNANSWERED = {"role": "assistant", "content": ""}


def training_messages(
    messages: Sequence[Mapping[str, Any]], thought_words: Sequence[str]
) -> tuple[str | None, list[dict[str, str]]]:
    """A conversation as LLaMA-Factory's loader gives it to the template: system text, turns."""
    system, turns = None, []
    for message in messages:
        role, content = message["role"], message.get("content", "")
        if role == "system":
            system = content
        elif role == "tool":
            turns.append({"role": "observation", "content": content})
        elif message.get("tool_calls"):
            calls = [call["function"] for call in message["tool_calls"]]
            turns.append({"role": "function", "content": json.dumps(calls, ensure_ascii=False)})
        elif message.get("thinking"):
            first, last = thought_words
            turns.append({"role": role, "content": first + message["thinking"] + last + content})
        else:
            turns.append({"role": role, "content": content})
    return system, turns


def encode(
    template: Any,
    tokenizer: Any,
    shape: Mapping[str, Any],
    *,
    one_turn: bool = False,
    discards_history: bool = False,
) -> list[int]:
    """The ids of a conversation, up to where the model answers.

    `one_turn`: as dpo, kto and ppo see it, which is not how sft does where a template has thoughts.
    `discards_history`: as sft does with `mask_history`.
    """
    system, turns = training_messages(shape["messages"], template.thought_words)
    tools = json.dumps([tool["function"] for tool in shape["tools"]], ensure_ascii=False)
    given = (tokenizer, [*turns, UNANSWERED], system, tools if shape["tools"] else "")
    if template.enable_thinking is not False:
        # An answer with thoughts is asked for, unless the client wants none. None as argument of
        # the training leaves it to each row, and the row to come is of the one kind or the other.
        template = copy.copy(template)
        template.enable_thinking = shape["think"] is not False
    if one_turn:
        prompt, _answer = template.encode_oneturn(*given)
        return list(prompt)
    pairs = template.encode_multiturn(*given, discarding_history_cot=discards_history)
    return [token for pair in pairs for part in pair for token in part][: _end(pairs)]


def _end(pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> int:
    return sum(len(prompt) + len(answer) for prompt, answer in pairs) - len(pairs[-1][1])


def load(request: Mapping[str, Any]) -> tuple[Any, Any]:
    """The template and the tokenizer, as training had them."""
    from llamafactory.data.template import (  # type: ignore[import-not-found]
        get_template_and_fix_tokenizer,
    )
    from llamafactory.hparams import get_infer_args  # type: ignore[import-not-found]
    from llamafactory.model import load_tokenizer  # type: ignore[import-not-found]

    model_arguments, data_arguments, *_ = get_infer_args(request["arguments"])
    tokenizer = load_tokenizer(model_arguments)["tokenizer"]
    return get_template_and_fix_tokenizer(tokenizer, data_arguments), tokenizer


def write_encodings(request_file: Path, result_file: Path) -> None:
    """Answers the request in the one file with the other."""
    from text_beginnings import spaces  # type: ignore[import-not-found]

    request = json.loads(request_file.read_text(encoding="utf-8"))
    template, tokenizer = load(request)
    how = {key: request[key] for key in ("one_turn", "discards_history")}
    ids = {s["name"]: encode(template, tokenizer, s, **how) for s in request["shapes"]}
    result = {
        "begin": tokenizer.bos_token_id,
        "written": {
            "bos_token": tokenizer.bos_token or "",
            "eos_token": tokenizer.eos_token or "",
            # As the list of tools names the day, in some formats: `Llama3ToolUtils`.
            "tool_date": datetime.now().strftime("%d %b %Y"),
            **spaces(tokenizer, request["beginnings"]),
        },
        "shapes": {
            name: [[token, tokenizer.decode([token])] for token in tokens]
            for name, tokens in ids.items()
        },
    }
    result_file.write_text(json.dumps(result, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    match [Path(argument) for argument in sys.argv[1:]]:
        case [request, result]:
            write_encodings(request, result)
        case _:
            sys.exit("usage: chat_encoding.py REQUEST_JSON RESULT_JSON")
