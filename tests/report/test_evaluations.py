"""Evaluations on the page: who answered what, and who was refused."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from plan.codec import encode
from plan.evaluation import (
    AskedQuestion,
    EvaluationRecord,
    EvaluationSummary,
    GivenAnswer,
    Question,
    Requirement,
    ToolCall,
)
from plan.paths import EVALUATION_RECORD, evaluation_record
from plan.survey import FoundFolder
from report.evaluations import SHOWN, EvaluationView, evaluation_views
from report.html import html_of
from report.look import HostSight
from report.page import page_of
from report.state import StackState, read_state
from tests.report.conftest import OWNER, exported, sight_of


def answer(score: float, text: str = "", *calls: ToolCall) -> GivenAnswer:
    return GivenAnswer(text=text, tool_calls=calls, scores={"exact": score})


def asked(name: str, candidate: float, served: float) -> AskedQuestion:
    return AskedQuestion(
        question=Question(messages=({"role": "user", "content": name},), expect="<b>right</b>"),
        answers={
            "candidate": answer(candidate, f"new {name}"),
            "served": answer(served, f"old {name}", ToolCall(name="look", arguments={"at": 1})),
        },
    )


def record(identity: str, *questions: AskedQuestion, refused: str = "") -> EvaluationRecord:
    path = str(evaluation_record(OWNER.stack, identity))
    return EvaluationRecord(
        stack=OWNER.stack,
        step="finetune-stack-test-guide-ollama-model",
        model="guide:latest",
        model_identity=identity,
        shortfalls=(refused,) if refused else (),
        requirements=(Requirement(measure="exact", required=0.8, margin=0.05),),
        summary=EvaluationSummary(
            identity="e1",
            questions=len(questions),
            scores={"candidate": {"exact": 0.9}, "served": {"exact": 0.5, "f1": 0.25}},
            record=path,
        ),
        asked=questions,
    )


def with_texts(sight: HostSight, **texts: str) -> HostSight:
    """A look at a host with records, by identity."""
    folders = tuple(
        FoundFolder(
            path=str(evaluation_record(OWNER.stack, identity).parent),
            bytes=1,
            modified=0,
            texts={EVALUATION_RECORD: text},
        )
        for identity, text in texts.items()
    )
    survey = replace(sight.survey, folders=(*sight.survey.folders, *folders))
    return replace(sight, survey=survey)


@pytest.fixture
def state(planned) -> StackState:
    plan, settings = planned()
    return read_state(exported(plan, settings))


@pytest.fixture
def sight(planned) -> HostSight:
    return sight_of(planned()[0])


@pytest.fixture
def served(planned) -> str:
    """Identity of the guide as it is served."""
    return str(planned()[0].models[0].ollama_model.identity)


def views(state: StackState, sight: HostSight, *records: EvaluationRecord) -> list[EvaluationView]:
    texts = {each.model_identity: encode(each) for each in records}
    return evaluation_views(state, with_texts(sight, **texts).survey)


def test_scores_stand_beside_what_is_required(
    state: StackState, sight: HostSight, served: str
) -> None:
    (view,) = views(state, sight, record(served, asked("a", 1, 0)))
    assert view.heads == ("new model", "served before")
    assert view.scores == (
        ("exact", "0.80, and 0.05 above what serves", ("0.90", "0.50")),
        ("f1", "–", ("–", "0.25")),  # noqa: RUF001
    )
    (question,) = view.questions
    assert [each.text for each in question.answers] == ["new a", "old a"]
    assert question.answers[1].calls == ("look(at=1)",)


def test_the_worst_answered_come_first_and_the_rest_is_counted(
    state: StackState, sight: HostSight, served: str
) -> None:
    questions = [asked(f"q{at}", at / 1000, 1) for at in reversed(range(SHOWN + 7))]
    (view,) = views(state, sight, record(served, *questions))
    assert [each.asked for each in view.questions[:2]] == ["q0", "q1"]
    assert (len(view.questions), view.left_out) == (SHOWN, 7)


def test_a_refused_candidate_is_told_after_what_serves(
    state: StackState, sight: HostSight, served: str
) -> None:
    refused = record("0ther", asked("a", 0, 1), refused="exact is 0.10, and 0.80 is required")
    passed, failed = views(state, sight, refused, record(served, asked("a", 1, 0)))
    assert (passed.identity, passed.shortfalls) == (served, ())
    assert failed.shortfalls == ("exact is 0.10, and 0.80 is required",)


def test_one_that_another_model_passed_before_is_history(
    state: StackState, sight: HostSight
) -> None:
    assert views(state, sight, record("superseded", asked("a", 1, 0))) == []


def test_a_record_that_was_cut_off_is_left_out(
    state: StackState, sight: HostSight, served: str
) -> None:
    text = encode(record(served, asked("a", 1, 0)))[:-20]
    assert evaluation_views(state, with_texts(sight, **{served: text}).survey) == []


def test_the_section_is_there_where_there_is_a_result(
    state: StackState, sight: HostSight, served: str
) -> None:
    now = datetime(2026, 9, 22, tzinfo=UTC)
    without = html_of(page_of(state, sight, now=now))
    text = encode(record(served, asked("<i>why?</i>", 1, 0)))
    with_one = html_of(page_of(state, with_texts(sight, **{served: text}), now=now))
    assert 'id="evaluation"' not in without
    assert 'id="evaluation"' in with_one
    assert "&lt;i&gt;why?&lt;/i&gt;" in with_one
    assert "&lt;b&gt;right&lt;/b&gt;" in with_one
