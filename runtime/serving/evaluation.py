"""Held-out questions, asked of a candidate, of the model that has the name, and of the base (O2).

The answers are kept side by side, also those of a candidate that falls short.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from plan.codec import encode
from plan.evaluation import (
    Asked,
    AskedQuestion,
    Evaluation,
    EvaluationRecord,
    EvaluationSummary,
    GivenAnswer,
    Measure,
    Question,
)
from plan.ollama_model import OllamaModelStep
from plan.owner import Owner
from plan.paths import OLLAMA_STORE, evaluation_record
from plan.secret import JUDGE_KEY
from runtime.docker import archive
from runtime.docker.engine import Engine
from runtime.failure import StepError
from runtime.program import Interrupted, say
from runtime.progress.progress import QUIET_SECONDS
from runtime.serving.asking import Answer, ask
from runtime.serving.at_a_time import answers_of
from runtime.serving.judge import judged
from runtime.serving.measures import score
from runtime.serving.ollama import Ollama
from runtime.serving.store import candidate_name

LOADING_SECONDS = 600.0
SECONDS_PER_QUESTION = 120.0
"""A model may take so long to be loaded, and then for each question."""

JUDGED_AT_A_TIME = 4
"""Answers that a judge is sent together: more of them meet its rate limit."""

SHOWN = 3
"""Answers told of a candidate that falls short; its file has all of them."""

NOTHING = 1e-9
"""Less than any difference of scores that is one."""


def evaluate(
    engine: Engine,
    owner: Owner,
    step: OllamaModelStep,
    evaluation: Evaluation,
    *,
    candidate: str,
    served: str | None,
    base_modelfile: str | None,
    before: str,
) -> EvaluationSummary:
    """What came of it.

    `served` is the model to be better than; None where there is none, or where it is the candidate
    itself. `before` says what is served when the candidate falls short, which raises `StepError`.
    """
    title = f"evaluate {step.served_name}"
    answers = {"candidate": _ask(engine, step, evaluation, "candidate", candidate)}
    if served is not None:
        answers["served"] = _ask(engine, step, evaluation, "served", served)
    if evaluation.base is not None and base_modelfile is not None:
        answers["base"] = _ask_base(engine, owner, step, evaluation, base_modelfile)
    asked = _side_by_side(evaluation, answers)
    scores = _means(evaluation, asked, list(answers))
    path = evaluation_record(owner.stack, step.identity)
    summary = EvaluationSummary(
        identity=evaluation.identity,
        questions=len(evaluation.questions),
        scores=scores,
        record=str(path),
    )
    shortfalls = tuple(_shortfalls(evaluation, scores))
    record = EvaluationRecord(
        stack=owner.stack,
        step=step.name,
        model=step.served_name,
        model_identity=step.identity,
        shortfalls=shortfalls,
        requirements=evaluation.requirements,
        summary=summary,
        asked=asked,
    )
    content = f"{encode(record)}\n".encode()
    name = str(path.relative_to(OLLAMA_STORE))
    archive.put_files(engine, step.server, str(OLLAMA_STORE), {name: content})
    table = "\n".join(_table(evaluation, scores))
    if shortfalls:
        which = "model that serves as" if candidate == step.served_name else "new model for"
        raise StepError(
            f"the {which} {step.served_name} answers worse than the settings ask for.\n"
            f"{table}\n"
            + "".join(f"  {shortfall}\n" for shortfall in shortfalls)
            + "".join(_worst(evaluation, asked))
            + f"  All {len(asked)} answers side by side: docker cp {step.server}:{path} .\n"
            f"  {before} Train longer or on more data, or change ollama_model.evaluation, then run "
            "`pulumi up` again."
        )
    say(f"{title}: it answers as the settings ask for\n{table}")
    return summary


def _ask(
    engine: Engine, step: OllamaModelStep, evaluation: Evaluation, who: Asked, model: str
) -> list[Answer]:
    title, count = f"evaluate {step.served_name}", len(evaluation.questions)
    seconds = LOADING_SECONDS + SECONDS_PER_QUESTION * count
    ollama = Ollama(engine, step.server, title=title, seconds=seconds)
    say(f"{title}: asking {_named(who)} {count} questions, {evaluation.parallel} at a time")
    said = time.monotonic()

    def tell(answered: int) -> None:
        nonlocal said
        if time.monotonic() - said > QUIET_SECONDS and answered < count:
            said = time.monotonic()
            say(f"{title}: {_named(who)} has answered {answered} of {count}")

    return ask(
        ollama,
        model,
        evaluation.questions,
        options=evaluation.options,
        parallel=evaluation.parallel,
        on_answers=tell,
    )


def _ask_base(
    engine: Engine, owner: Owner, step: OllamaModelStep, evaluation: Evaluation, modelfile: str
) -> list[Answer]:
    """What the base answers, which is in Ollama's store for that long."""
    quantize = evaluation.base.quantize if evaluation.base else None
    name = candidate_name(owner.stack, f"{step.identity}-base")
    title = f"evaluate {step.served_name}"
    ollama = Ollama(engine, step.server, title=title, seconds=step.deadline_seconds)
    try:
        ollama.create(name, modelfile, quantize)
        return _ask(engine, step, evaluation, "base", name)
    finally:
        with suppress(StepError, Interrupted):
            ollama.remove([name])


def _side_by_side(
    evaluation: Evaluation, answers: Mapping[str, Sequence[Answer]]
) -> tuple[AskedQuestion, ...]:
    """Every question with the answers to it and their scores."""
    pairs = [(index, who) for index in range(len(evaluation.questions)) for who in answers]
    scored = answers_of(
        [
            partial(_scores, evaluation, evaluation.questions[index], answers[who][index])
            for index, who in pairs
        ],
        at_a_time=JUDGED_AT_A_TIME,
    )
    by_place = dict(zip(pairs, scored, strict=True))
    return tuple(
        AskedQuestion(
            question=question,
            answers={
                who: GivenAnswer(
                    text=given[index].text,
                    thoughts=given[index].thoughts,
                    tool_calls=given[index].tool_calls,
                    scores=by_place[index, who],
                )
                for who, given in answers.items()
            },
        )
        for index, question in enumerate(evaluation.questions)
    )


def _scores(evaluation: Evaluation, question: Question, answer: Answer) -> dict[str, float]:
    return {
        requirement.measure: _score(evaluation, requirement.measure, question, answer)
        for requirement in evaluation.requirements
        if question.fits(requirement.measure)
    }


def _score(evaluation: Evaluation, measure: Measure, question: Question, answer: Answer) -> float:
    if measure == "judge" and evaluation.judge is not None:
        return judged(evaluation.judge, os.environ.get(JUDGE_KEY), question, answer)
    return score(measure, question, answer, schema=evaluation.json_schema)


def _means(
    evaluation: Evaluation, asked: Sequence[AskedQuestion], who: Sequence[str]
) -> dict[str, dict[str, float]]:
    """By who was asked and measure."""
    means: dict[str, dict[str, float]] = {}
    for name in who:
        means[name] = {}
        for measure in (requirement.measure for requirement in evaluation.requirements):
            given = [each.answers[name].scores for each in asked]
            found = [scores[measure] for scores in given if measure in scores]
            means[name][measure] = sum(found) / len(found)
    return means


def _shortfalls(evaluation: Evaluation, scores: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """What keeps the candidate from the name."""
    for requirement in evaluation.requirements:
        measure, margin = requirement.measure, requirement.margin
        reached, key = scores["candidate"][measure], f"evaluation.measures.{measure}"
        if reached < requirement.required - NOTHING:
            yield f"{measure} is {reached:.3f}, and {key}.required is {requirement.required:g}"
        if "served" in scores and reached < scores["served"][measure] + margin - NOTHING:
            yield (
                f"{measure} is {reached:.3f}, and the model that serves has "
                f"{scores['served'][measure]:.3f}: {key}.margin is {margin:g}"
            )


def _table(evaluation: Evaluation, scores: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    yield "  " + "".join(f"{word:>11}" for word in ("measure", "required", "margin", *scores))
    for requirement in evaluation.requirements:
        cells = [f"{requirement.required:g}", f"{requirement.margin:+g}"]
        cells += [f"{found[requirement.measure]:.3f}" for found in scores.values()]
        yield "  " + "".join(f"{cell:>11}" for cell in (requirement.measure, *cells))


def _worst(evaluation: Evaluation, asked: Sequence[AskedQuestion]) -> Iterator[str]:
    """Answers of the candidate with the lowest scores, and what the others said."""

    def reached(each: AskedQuestion) -> float:
        return sum(each.answers["candidate"].scores.values())

    for each in sorted(asked, key=reached)[:SHOWN]:
        question = each.question
        expected = Answer(text=question.expect, tool_calls=question.expect_tool_calls)
        yield f"  asked:     {question.messages[-1]['content']}\n  expected:  {expected}\n"
        for who, given in each.answers.items():
            answer = Answer(text=given.text, tool_calls=given.tool_calls)
            yield f"  {who + ':':<11}{answer}\n"


def _named(who: Asked) -> str:
    return {
        "candidate": "the candidate",
        "served": "the model that serves",
        "base": "the base",
    }[who]
