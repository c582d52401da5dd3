"""LLaMA Board as a person sees it in a browser: the data set, and an answer from the tuned adapter.

The demo's model, trained by the stack, on the stack's own Board. Takes about a minute.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.browser import LOOKS, Browser
from tests.integration.conftest import Engine
from tests.integration.stack import Stack, free_port

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [
    *(pytest.mark.engine, pytest.mark.integration, pytest.mark.nightly),
    pytest.mark.timeout(1800),
]

PATIENCE = 120_000
"""Milliseconds: the Board loads a model in its first minute, on a busy machine."""
SETTLED = 2_000
"""Milliseconds after which nothing more comes: each change is a word with the server."""


@pytest.fixture(scope="module")
def trained(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack after its one up, with its Board."""
    stack = Stack(tmp_path_factory.mktemp("board") / "home")
    stack.settings["board"] = {"enabled": True, "port": free_port()}
    with engine.converged(stack):
        yield stack


@pytest.fixture
def board(trained: Stack, browser: Browser) -> "Iterator[Page]":
    """The page, in English as it opens."""
    with browser.page(LOOKS[0]) as page:
        page.set_default_timeout(PATIENCE)
        page.goto(trained.outputs()["board_url"])
        page.get_by_label("Model name").first.wait_for()
        yield page


def artefact(stack: Stack, noun: str) -> str:
    """Where a step of the demo's model has left what it made."""
    (said,) = (
        json.loads(resource["outputs"]["stdout"])
        for resource in stack.resources()
        if resource["urn"].endswith(f"-{noun}-command")
    )
    path: str = said["artefact"]
    return path


def choose(field: "Locator", value: str) -> None:
    """As one does who types into a field that offers values, which come anew with each focus."""
    field.click()
    field.page.wait_for_timeout(SETTLED)
    field.fill(value)
    field.press("Enter")
    field.page.wait_for_timeout(SETTLED)


def first_row(stack: Stack) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(Path(stack.settings["datasets"][0]["file"]).read_text())[0]
    return row


@pytest.mark.capability("T1", "D4")
def test_the_train_tab_offers_the_registered_data_set(trained: Stack, board: "Page"):
    board.get_by_label("Dataset", exact=True).first.click()
    names = [dataset["name"] for dataset in trained.settings["datasets"]]
    board.get_by_role("option", name=names[0]).wait_for()
    assert board.get_by_role("option").all_inner_texts() == names


@pytest.mark.capability("T1", "E1")
def test_the_chat_tab_answers_from_the_adapter_that_was_trained(trained: Stack, board: "Page"):
    row = first_row(trained)
    assert (
        answer(trained, board, row["instruction"], adapter=artefact(trained, "sft"))
        == (row["output"])
    )


@pytest.mark.capability("T1")
def test_without_the_adapter_it_knows_nothing(trained: Stack, board: "Page"):
    row = first_row(trained)
    assert answer(trained, board, row["instruction"], adapter="") != row["output"]


def answer(stack: Stack, board: "Page", question: str, *, adapter: str) -> str:
    """What the Board answers with the model loaded that the page was told."""
    choose(board.get_by_label("Model name").first, "Custom")
    board.get_by_label("Model path").first.fill(artefact(stack, "base-model"))
    choose(board.get_by_label("Chat template").first, stack.model["template"])
    if adapter:
        choose(board.get_by_label("Checkpoint path").first, adapter)
    board.get_by_role("tab", name="Chat").click()
    board.get_by_role("button", name="Load model", exact=True).click()
    try:
        coolness = board.get_by_role("spinbutton", name="number input for Temperature")
        coolness.fill("0.01")
        board.get_by_placeholder("Input...").fill(question)
        board.get_by_role("button", name="Submit").click()
        said = board.get_by_test_id("bot").last
        said.filter(has_text=re.compile(r"\S")).wait_for()
        text = ""
        while text != (text := said.inner_text()):
            board.wait_for_timeout(SETTLED)
        return text.strip()
    finally:
        board.get_by_role("button", name="Unload model").click()
        board.get_by_role("button", name="Submit").wait_for(state="hidden")
