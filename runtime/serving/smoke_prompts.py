"""Smoke prompts: what a new model must answer before it is served (E5, E6)."""

import json
from collections.abc import Sequence

from plan.codec import as_json
from plan.evaluation import SAME_ANSWERS, Question
from plan.ollama_model import OllamaModelStep, SmokePrompt
from runtime.failure import StepError
from runtime.program import say
from runtime.serving.asking import Answer, ask, satisfies
from runtime.serving.ollama import Ollama


def ask_smoke_prompts(
    ollama: Ollama, step: OllamaModelStep, model: str, *, before: str
) -> list[dict[str, str]]:
    """What a model answers, as `OllamaModelResult.answers` has it.

    Raises `StepError` with the first answer that is not as expected; `before` says what is served
    then.
    """
    questions = [
        Question(messages=({"role": "user", "content": smoke.prompt},), tools=smoke.tools)
        for smoke in step.smoke_prompts
    ]
    answers = ask(ollama, model, questions, options=SAME_ANSWERS)
    for smoke, answer in zip(step.smoke_prompts, answers, strict=True):
        if problem := _problem(smoke, answer, step.thought_words):
            raise StepError(
                f"the new model for {step.served_name} does not answer as the settings expect.\n"
                f"  asked:    {smoke.prompt}\n{problem}\n"
                f"  {before} Train longer, or correct "
                "ollama_model.smoke_prompts, then run `pulumi up` again."
            )
        say(f"serve {step.served_name}: {smoke.prompt!r} is answered as expected")
    return [_told(smoke, answer) for smoke, answer in zip(step.smoke_prompts, answers, strict=True)]


def _problem(smoke: SmokePrompt, answer: Answer, thought_words: Sequence[str]) -> str:
    """What is wrong with an answer, in lines of a message; empty when nothing is."""
    wanted = smoke.expect_tool_call
    if wanted is not None and answer.tool_calls != (wanted,):
        expected = json.dumps(as_json(wanted), ensure_ascii=False)
        return f"  expected: the call {expected}\n  answered: {answer}"
    if not satisfies(answer.text, smoke.expect):
        return f"  expected: {smoke.expect}\n  answered: {answer}"
    if word := next((word for word in thought_words if word in answer.text), None):
        return (
            f"  expected: thoughts apart from the answer\n  answered: {answer.text}\n"
            f"  It was trained to think, and {word} stands in its answer: the thoughts were not "
            "closed, or not opened."
        )
    return ""


def _told(smoke: SmokePrompt, answer: Answer) -> dict[str, str]:
    calls = json.dumps([as_json(call) for call in answer.tool_calls], ensure_ascii=False)
    return {
        "prompt": smoke.prompt,
        "answer": answer.text,
        **({"thoughts": answer.thoughts} if answer.thoughts else {}),
        **({"tool_calls": calls} if answer.tool_calls else {}),
    }
