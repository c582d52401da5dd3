"""How answers are scored: published figures, and texts of several scripts."""

from typing import Any

import pytest

from plan.evaluation import Measure, Question, ToolCall
from runtime.serving.asking import Answer
from runtime.serving.measures import score

REFERENCE = "police killed the gunman"
"""Of the paper that defines ROUGE (Lin, 2004), with its two candidates."""


def of(measure: Measure, answer: str, expected: str) -> float:
    return score(measure, Question(messages=(), expect=expected), Answer(text=answer))


@pytest.mark.parametrize(
    ("answer", "rouge_l", "f1"),
    [
        ("police kill the gunman", 3 / 4, 3 / 4),
        ("the gunman kill police", 2 / 4, 3 / 4),
        ("Police killed the gunman.", 1, 1),
        ("police", 2 / 5, 2 / 5),
        ("police police police police", 1 / 4, 1 / 4),
        ("", 0, 0),
    ],
)
def test_the_figures_of_the_paper(answer: str, rouge_l: float, f1: float) -> None:
    assert of("rouge_l", answer, REFERENCE) == pytest.approx(rouge_l)
    assert of("f1", answer, REFERENCE) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("answer", "expected", "rouge_l"),
    [
        # No spaces between words: characters count.
        ("苍鹭在河边", "苍鹭在池边", 4 / 5),
        ("アオサギは池にいる", "アオサギは川にいる", 8 / 9),
        ("왜가리는 연못에 있다", "왜가리는 강에 있다", 2 / 3),
        ("Στη λίμνη", "στη λίμνη", 1),
        ("LoRA 很小", "lora 很小", 1),
        ("👍", "👎", 0),
    ],
)
def test_other_scripts(answer: str, expected: str, rouge_l: float) -> None:
    assert of("rouge_l", answer, expected) == pytest.approx(rouge_l)


@pytest.mark.parametrize(
    ("answer", "exact", "contains"),
    [("It is 42.", 1, 1), ("It\n is  42.", 1, 1), ("Yes. It is 42. So.", 0, 1), ("42", 0, 0)],
)
def test_word_for_word_or_in_it(answer: str, exact: float, contains: float) -> None:
    assert of("exact", answer, "It is 42.") == exact
    assert of("contains", answer, "It is 42.") == contains


SCHEMA = {"type": "object", "required": ["bird"], "properties": {"bird": {"type": "string"}}}


@pytest.mark.parametrize(
    ("answer", "schema", "is_valid"),
    [
        ('{"bird": "heron"}', SCHEMA, True),
        ('{"bird": 7}', SCHEMA, False),
        ('{"bird": 7}', None, True),
        ("[1, 2]", SCHEMA, False),
        ('Sure! {"bird": "heron"}', None, False),
        ('{"bird": "her', None, False),
        ("", None, False),
    ],
)
def test_json_and_nothing_beside_it(answer: str, schema: Any, is_valid: bool) -> None:
    asked = Question(messages=(), expect="{}")
    assert score("valid_json", asked, Answer(text=answer), schema=schema) == is_valid


HERON = ToolCall(name="find_bird", arguments={"bird": "heron", "days": 2})


@pytest.mark.parametrize(
    ("calls", "is_made"),
    [
        ([HERON], True),
        ([ToolCall(name="find_bird", arguments={"days": 2, "bird": "heron"})], True),
        ([ToolCall(name="find_bird", arguments={"bird": "heron", "days": 3})], False),
        ([ToolCall(name="find_bird", arguments={"bird": "heron"})], False),
        ([ToolCall(name="count", arguments=HERON.arguments)], False),
        ([HERON, HERON], False),
        ([], False),
    ],
)
def test_the_call_with_equal_arguments(calls: list[ToolCall], is_made: bool) -> None:
    asked = Question(messages=(), expect_tool_calls=(HERON,))
    assert score("tool_call", asked, Answer(text="", tool_calls=tuple(calls))) == is_made
