"""Evaluations: what the new model answered, beside the one that served and the base."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from plan.codec import DecodeError, decode
from plan.evaluation import (
    Asked,
    AskedQuestion,
    EvaluationRecord,
    GivenAnswer,
    Measure,
    Requirement,
    ToolCall,
)
from plan.ollama_model import OllamaModelStep
from plan.paths import EVALUATION_RECORD, EVALUATIONS
from plan.survey import Survey
from report.state import StackState
from report.words import UNKNOWN

SHOWN = 100
"""Questions on the page, the worst answered first; the record has all of them."""

CALLED: Mapping[str, str] = {"candidate": "new model", "served": "served before", "base": "base"}


@dataclass(frozen=True, kw_only=True)
class AnswerView:
    """One answer, as it stands beside the others."""

    text: str
    calls: tuple[str, ...]
    score: str


@dataclass(frozen=True, kw_only=True)
class QuestionView:
    """One question with what is expected, and the answers in the order of the heads."""

    asked: str
    expected: str
    answers: tuple[AnswerView, ...]


@dataclass(frozen=True, kw_only=True)
class EvaluationView:
    """One evaluation of one model."""

    model: str
    """Served name."""
    identity: str
    shortfalls: tuple[str, ...]
    """Why it did not take the name; empty where it did."""
    heads: tuple[str, ...]
    """Who was asked."""
    scores: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Measure, what is required, and the score of each who was asked."""
    questions: tuple[QuestionView, ...]
    left_out: int
    """Questions that are in the record alone."""
    record: str


def evaluation_views(state: StackState, survey: Survey) -> list[EvaluationView]:
    """The evaluation that each served model has passed, then those of candidates that were refused.

    A refused candidate is in no state: its record is all that tells of it.
    """
    served = [plan.identity for plan in state.plans(OllamaModelStep)]
    records = list(_records(survey, state.owner.stack))
    passed = [each for each in records if each.model_identity in served and not each.shortfalls]
    refused = [each for each in records if each.shortfalls]
    return [_view(record) for record in (*passed, *refused)]


def _records(survey: Survey, stack: str) -> Iterator[EvaluationRecord]:
    for folder in survey.folders:
        if folder.path.startswith(f"{EVALUATIONS}/{stack}/"):
            # Not one of a version whose words these are not, or that was cut off half-way.
            with contextlib.suppress(DecodeError):
                yield decode(EvaluationRecord, folder.texts.get(EVALUATION_RECORD, ""))


def _view(record: EvaluationRecord) -> EvaluationView:
    scores = record.summary.scores
    who = [each for each in get_args(Asked) if each in scores]
    measures = [each for each in get_args(Measure) if any(each in scores[one] for one in who)]
    required = {each.measure: each for each in record.requirements}
    worst = sorted(record.asked, key=_quality)
    return EvaluationView(
        model=record.model,
        identity=record.model_identity,
        shortfalls=record.shortfalls,
        heads=tuple(CALLED[each] for each in who),
        scores=tuple(
            (
                measure.replace("_", " "),
                _required(required.get(measure)),
                tuple(_score(scores[each].get(measure)) for each in who),
            )
            for measure in measures
        ),
        questions=tuple(_question(each, who) for each in worst[:SHOWN]),
        left_out=max(0, len(worst) - SHOWN),
        record=record.summary.record,
    )


def _required(requirement: Requirement | None) -> str:
    if requirement is None:
        return UNKNOWN
    above = f", and {requirement.margin:.2f} above what serves" if requirement.margin else ""
    return f"{requirement.required:.2f}{above}"


def _score(score: float | None) -> str:
    return UNKNOWN if score is None else f"{score:.2f}"


def _quality(asked: AskedQuestion) -> float:
    """How well the new model has answered; what nothing measures comes last."""
    mean = _mean(asked.answers.get("candidate"))
    return 1.0 if mean is None else mean


def _mean(answer: GivenAnswer | None) -> float | None:
    if answer is None or not answer.scores:
        return None
    return sum(answer.scores.values()) / len(answer.scores)


def _question(asked: AskedQuestion, who: Sequence[str]) -> QuestionView:
    question = asked.question
    return QuestionView(
        asked=str(question.messages[-1].get("content", "")) if question.messages else "",
        expected=question.expect or ", ".join(_calls(question.expect_tool_calls)),
        answers=tuple(_answer(asked.answers.get(each)) for each in who),
    )


def _answer(given: GivenAnswer | None) -> AnswerView:
    if given is None:
        return AnswerView(text="", calls=(), score=UNKNOWN)
    return AnswerView(
        text=given.text, calls=tuple(_calls(given.tool_calls)), score=_score(_mean(given))
    )


def _calls(calls: Sequence[ToolCall]) -> Iterator[str]:
    for call in calls:
        arguments = ", ".join(f"{key}={value!r}" for key, value in call.arguments.items())
        yield f"{call.name}({arguments})"
