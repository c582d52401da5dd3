"""Markers: a file that vouches for finished work, and what to make of one that does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan.codec import encode
from plan.marker import (
    ArtefactMarker,
    ServedModelMarker,
    read_artefact_marker,
    read_served_marker,
)

ARTEFACT = ArtefactMarker(identity="abc", step="test-guide-sft", stack="test", token="t1")
SERVED = ServedModelMarker(
    identity="abc",
    step="test-guide-ollama-model",
    model="guide:latest",
    manifest="/root/.ollama/models/manifests/registry.ollama.ai/library/guide/latest",
    manifest_digest="0" * 64,
    stack="test",
    token="t1",
    answers=({"prompt": "What is LoRA?", "answer": "A few small layers."},),
)


def test_a_marker_is_read_as_it_was_written() -> None:
    assert read_artefact_marker(encode(ARTEFACT).encode()) == ARTEFACT
    assert read_served_marker(encode(SERVED).encode()) == SERVED


def test_a_file_that_is_not_there_vouches_for_nothing() -> None:
    assert read_artefact_marker(None) is None
    assert read_served_marker(None) is None


@given(st.data())
def test_a_file_that_was_cut_off_vouches_for_nothing(data: st.DataObject) -> None:
    artefact, served = encode(ARTEFACT).encode(), encode(SERVED).encode()
    assert read_artefact_marker(artefact[: data.draw(st.integers(0, len(artefact) - 1))]) is None
    assert read_served_marker(served[: data.draw(st.integers(0, len(served) - 1))]) is None


@given(st.binary(max_size=40))
def test_what_is_no_marker_vouches_for_nothing(content: bytes) -> None:
    assert read_artefact_marker(content) is None


def test_a_marker_of_one_kind_does_not_pass_for_the_other() -> None:
    assert read_served_marker(encode(ARTEFACT).encode()) is None


def test_a_marker_without_an_owner_is_nobodys() -> None:
    marker = read_artefact_marker(b'{"identity": "abc"}')
    assert marker == ArtefactMarker(identity="abc")
    assert marker.stack == ""


@pytest.mark.parametrize(
    "old",
    [
        {"fingerprint": "565a4b6527cf7ea4", "token": "t1"},
        {"fingerprint": "565a4b6527cf7ea4", "token": "t1", "model": "guide:latest", "answers": []},
    ],
)
def test_a_marker_from_before_identities_vouches_for_nothing(old: dict[str, object]) -> None:
    # A fingerprint counted mirrors and bookkeeping, and not the content of pulled images and base
    # models: it says of no work which identity the work has.
    content = json.dumps(old).encode()
    assert read_artefact_marker(content) is None
    assert read_served_marker(content) is None
