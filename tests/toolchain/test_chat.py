"""Which model is meant, by its own name or as Ollama has it."""

import pytest

from toolchain.chat import choose
from toolchain.errors import ToolchainError

TWO = {"guide": "guide:latest", "small": "acme/small:v2"}


@pytest.mark.parametrize(
    ("wanted", "served"),
    [
        ("guide", "guide:latest"),
        ("guide:latest", "guide:latest"),
        ("small", "acme/small:v2"),
        ("acme/small:v2", "acme/small:v2"),
    ],
)
def test_a_model_is_known_by_its_name_and_by_ollamas(wanted: str, served: str) -> None:
    assert choose(TWO, wanted) == served


def test_the_only_one_needs_no_name() -> None:
    assert choose({"guide": "guide:latest"}, None) == "guide:latest"


@pytest.mark.parametrize(
    ("models", "wanted", "told"),
    [
        (TWO, None, "the stack serves: guide, small; choose one with MODEL="),
        (TWO, "large", "the stack serves: guide, small; it has no model large"),
        ({}, None, "the stack serves: none yet; choose one with MODEL="),
    ],
)
def test_what_cannot_be_meant_says_what_can(
    models: dict[str, str], wanted: str | None, told: str
) -> None:
    with pytest.raises(ToolchainError) as caught:
        choose(models, wanted)
    assert str(caught.value) == told
