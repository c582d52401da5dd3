"""Evaluations: what is asked of a new model, of the one that serves, and of the base (O2)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from plan.codec import as_json
from plan.evaluation import SAME_ANSWERS, Base, Evaluation, Judge, Question, Requirement
from plan.identity import identity
from plan.problem import Problem
from plan.step import ContainerStepPlan
from planning.gguf_conversion import FILE, quantized_by_ollama
from planning.ollama_model import render_modelfile
from planning.trained_chat import TrainedChat
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.services import OllamaServerSettings

PARALLEL = "OLLAMA_NUM_PARALLEL"
"""How many requests Ollama answers together; one where it is not set."""


def plan_evaluation(
    settings: ModelSettings,
    questions: Sequence[Question],
    *,
    chat: TrainedChat,
    parallel: int,
    base: ContainerStepPlan | None,
) -> Evaluation | None:
    """The evaluation of one model, or None where the settings ask for none.

    `base`: the conversion of what training began with, where that is to be asked.
    """
    own = settings.ollama_model.evaluation
    if own is None:
        return None
    asked = tuple(_without_thoughts(question, chat) for question in questions)
    requirements = tuple(
        Requirement(measure=measure, required=given.required, margin=given.margin)
        for measure, given in own.measures.given.items()
    )
    limit = settings.ollama_model.parameters.num_predict
    tokens = own.max_tokens if limit is None or limit < 0 else min(limit, own.max_tokens)
    options = {**SAME_ANSWERS, "num_predict": tokens}
    valid_json, judge = own.measures.valid_json, own.measures.judge
    schema = valid_json.json_schema if valid_json else None
    judged_by = Judge(url=judge.url, model=judge.model) if judge else None
    asked_base = None
    if base is not None:
        modelfile = render_modelfile(settings, chat=chat, gguf_file=str(base.artefact / FILE))
        asked_base = Base(
            modelfile=modelfile, quantize=quantized_by_ollama(settings.gguf_conversion)
        )
    return Evaluation(
        identity=identity(
            "evaluation",
            *(as_json(part) for part in (asked, requirements, options)),
            schema,
            as_json(judged_by),
            as_json(asked_base),
        ),
        questions=asked,
        requirements=requirements,
        options=options,
        parallel=parallel,
        json_schema=schema,
        judge=judged_by,
        base=asked_base,
    )


def count_parallel(server: OllamaServerSettings) -> int:
    """How many questions the server answers together."""
    given = server.environment.get(PARALLEL, "")
    return max(1, int(given)) if given.isdecimal() else 1


def find_untaught_calls(
    index: int, settings: ModelSettings, chat: TrainedChat, questions: Sequence[Question]
) -> Iterator[Problem]:
    """Questions that expect a call of a tool, of a model whose calls Ollama does not list."""
    if chat.ollama.calls:
        return
    own, key = settings.ollama_model, f"models[{index}].ollama_model"
    rule = (
        f"its template {settings.template} was taught no tools that Ollama could serve, and a "
        "question with tools is refused by the server"
    )
    way_out = (
        "Train on a data set with columns.tools and a template whose tools are served "
        "(docs/support_matrix.md), or take the tools out of the question"
    )
    for number, smoke in enumerate(own.smoke_prompts):
        if smoke.tools:
            yield Problem(f"{key}.smoke_prompts[{number}].tools", "", rule, way_out)
    if any(question.tools for question in questions):
        yield Problem(f"{key}.evaluation", "", rule, way_out)


def _without_thoughts(question: Question, chat: TrainedChat) -> Question:
    """What is expected of the answer alone: thoughts arrive beside it."""
    words = chat.thought_words
    if not words:
        return question
    first, last = words
    return replace(
        question,
        expect=_split(question.expect, first, last)[1],
        messages=tuple(_apart(message, first, last) for message in question.messages),
    )


def _apart(message: Mapping[str, Any], first: str, last: str) -> Mapping[str, Any]:
    thoughts, text = _split(str(message["content"]), first, last)
    if message["role"] != "assistant" or not thoughts:
        return message
    return {**message, "content": text, "thinking": thoughts}


def _split(text: str, first: str, last: str) -> tuple[str, str]:
    """Thoughts and answer of a text that training reads with both."""
    before, found, after = text.partition(last)
    if not found:
        return "", text
    return before.strip().removeprefix(first).strip(), after.strip()
