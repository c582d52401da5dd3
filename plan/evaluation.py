"""Evaluations: held-out questions that a model must answer well before it takes a name (O2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Measure = Literal["exact", "contains", "f1", "rouge_l", "valid_json", "tool_call", "judge"]
"""How an answer is held against what is expected; each gives 0 to 1."""

Asked = Literal["candidate", "served", "base"]
"""Whose answers stand side by side: the new model's, those of the model that has the name, and
those of the model that training began with."""

SAME_ANSWERS: Mapping[str, Any] = {"temperature": 0, "seed": 42}
"""Options of questions: the same model gives the same answers, and no `up` fails by chance."""


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """A call that an answer makes, or is to make."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, and the answer that is held against it."""

    messages: tuple[Mapping[str, Any], ...]
    """As `/api/chat` takes them; the last one asks."""
    tools: tuple[Mapping[str, Any], ...] = ()
    expect: str = ""
    expect_tool_calls: tuple[ToolCall, ...] = ()

    def fits(self, measure: Measure) -> bool:
        """Whether an answer to it can be measured so."""
        return bool(self.expect_tool_calls if measure == "tool_call" else self.expect)


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """What a candidate must reach in one measure, on average over the questions that it fits."""

    measure: Measure
    required: float
    margin: float
    """By how much it must be above the model that has the name."""


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A model that judges answers, behind an API like OpenAI's."""

    url: str
    model: str


@dataclass(frozen=True, kw_only=True)
class Base:
    """The model that training began with, in Ollama's form."""

    modelfile: str
    quantize: str | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What is asked of the models, and what the candidate must reach."""

    identity: str
    questions: tuple[Question, ...]
    requirements: tuple[Requirement, ...]
    options: Mapping[str, Any]
    """Of every request, so that the same model gives the same answers."""
    parallel: int = 1
    """Questions at a time: as many as the server answers together."""
    json_schema: Mapping[str, Any] | None = None
    """Of the answers, for the measure `valid_json`."""
    judge: Judge | None = None
    base: Base | None = None
    """None where the base is not asked."""


@dataclass(frozen=True, kw_only=True)
class EvaluationSummary:
    """What came of it, as markers and outputs tell it."""

    identity: str
    questions: int
    scores: Mapping[str, Mapping[str, float]]
    """By who was asked (`Asked`) and measure, 0 to 1."""
    record: str
    """File in Ollama's store: see `EvaluationRecord`."""


@dataclass(frozen=True, kw_only=True)
class GivenAnswer:
    """An answer as it arrived, and its scores by measure."""

    text: str
    thoughts: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AskedQuestion:
    """A question with the answers to it, by who was asked."""

    question: Question
    answers: Mapping[str, GivenAnswer]


@dataclass(frozen=True, kw_only=True)
class EvaluationRecord:
    """All of an evaluation, side by side: what its file holds, also of a candidate that failed."""

    stack: str
    step: str
    model: str
    """Served name."""
    model_identity: str
    """Of the candidate."""
    shortfalls: tuple[str, ...]
    """Why it did not take the name; empty where it did."""
    requirements: tuple[Requirement, ...]
    summary: EvaluationSummary
    asked: tuple[AskedQuestion, ...]
