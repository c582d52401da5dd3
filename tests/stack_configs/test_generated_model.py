"""What a generated model may be (T7)."""

from typing import Any

import pytest

from stack_configs.settings.model_families import MODEL_FAMILIES
from tests.stack_configs.test_datasets import Find


@pytest.mark.parametrize(
    ("generate", "template", "rule"),
    [
        ({"family": "llama-3", "vocabulary_size": 400}, "llama3", "a vocabulary of its own"),
        ({"family": "mistral", "attention_heads": 1}, "mistral", "must be a multiple of 2"),
        ({"family": "llama-3"}, "qwen", "which is no token of llama-3"),
        ({"family": "qwen-2.5"}, "gemma", "which is no token of qwen-2.5"),
    ],
)
def test_what_a_family_cannot_have_is_refused(
    document: dict[str, Any], problems_of: Find, generate: Any, template: str, rule: str
) -> None:
    document["models"][0].update(base_model={"generate": generate}, template=template)
    (problem,) = problems_of(document)
    assert rule in problem.rule


@pytest.mark.parametrize("family", MODEL_FAMILIES)
def test_a_family_is_whole(family: Any) -> None:
    made = MODEL_FAMILIES[family]
    ids = [token.id for token in made.added_tokens]
    assert len(set(ids)) == len(ids)
    assert max(ids) < made.tokens <= made.config["vocab_size"]
    for name in ("bos_token", "eos_token"):
        assert made.tokenizer[name] is None or made.has_token(made.tokenizer[name])
