"""How an answer is held against what is expected: every score is from 0 to 1 (O2)."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from rapidfuzz.distance import LCSseq

from plan.evaluation import Measure, Question
from runtime.serving.asking import Answer, satisfies

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\W\u3040-\u9fff]+")
"""A word; in Chinese and Japanese, which write no spaces, a character."""


def score(
    measure: Measure, question: Question, answer: Answer, *, schema: Mapping[str, Any] | None = None
) -> float:
    """The score of one answer in one measure, but for the judge's; `schema` is for `valid_json`."""
    if measure == "tool_call":
        return float(answer.tool_calls == question.expect_tool_calls)
    if measure == "valid_json":
        return float(_is_valid(answer.text, schema))
    return COMPARISONS[measure](answer.text, question.expect)


def _exact(answer: str, expected: str) -> float:
    return float(answer.split() == expected.split())


def _contains(answer: str, expected: str) -> float:
    return float(satisfies(answer, expected))


def _f1(answer: str, expected: str) -> float:
    """Of words, as SQuAD counts them, but that no word is left out."""
    said, wanted = _words(answer), _words(expected)
    return _f_measure(sum((Counter(said) & Counter(wanted)).values()), said, wanted)


def _rouge_l(answer: str, expected: str) -> float:
    """Of the longest common subsequence of words (Lin, 2004), recall and precision alike."""
    said, wanted = _words(answer), _words(expected)
    return _f_measure(LCSseq.similarity(said, wanted), said, wanted)


COMPARISONS: Mapping[Measure, Callable[[str, str], float]] = {
    "exact": _exact,
    "contains": _contains,
    "f1": _f1,
    "rouge_l": _rouge_l,
}
"""Of two texts: the answer, and what is expected."""


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _f_measure(common: int, said: Sequence[str], wanted: Sequence[str]) -> float:
    return 2 * common / (len(said) + len(wanted)) if said or wanted else 0.0


def _is_valid(text: str, schema: Mapping[str, Any] | None) -> bool:
    try:
        document = json.loads(text)
    except ValueError:
        return False
    return schema is None or Draft202012Validator(schema).is_valid(document)
