"""The model card: what a hub reads of it, and what people do."""

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from plan.codec import encode
from plan.marker import ArtefactMarker
from plan.paths import FETCHED, MARKER
from plan.survey import FoundFolder
from report.card import card_of
from report.lineage import lineages
from report.look import HostSight
from report.state import read_state
from runtime.publication.model_card import quoted
from tests.report.conftest import exported, sight_of


def parted(card: str) -> tuple[dict[str, object], str]:
    """The front matter, read as a hub does, and the page."""
    _, front, page = card.split("---\n", 2)
    return yaml.safe_load(front), page


@pytest.fixture
def card(planned) -> str:
    plan, settings = planned()
    state = read_state(exported(plan, settings))
    return card_of(lineages(state, sight_of(plan).survey)[0], state)


def test_what_a_hub_reads(card: str) -> None:
    front, _ = parted(card)
    assert front == {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["llama-factory", "ollama", "gguf", "lora", "sft"],
    }


def test_what_people_read(card: str, planned) -> None:
    plan, _ = planned()
    _, page = parted(card)
    assert "ollama run guide:latest" in page
    assert plan.dataset_registration.files[0].digest in page
    assert "| `learning_rate` | `0.001` |" in page
    assert "1 of 2 conversations are asked in the very tokens" in page
    assert "`It is a <script>tag</script>.`" in page


def test_every_table_has_the_rows_of_its_head(card: str) -> None:
    rows = [line for line in card.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} <= {3, 4}
    assert "\n\n\n\n" not in card


@pytest.mark.parametrize(
    ("source", "record", "page_of_it", "folder_of_it", "uri"),
    [
        (
            "hub",
            {},
            "https://huggingface.co/org/base-8b",
            "hub",
            "pkg:huggingface/org/base-8b@c0ffee",
        ),
        (
            "modelscope",
            {"hub": "modelscope", "asked": "c0ffee"},
            "https://www.modelscope.cn/models/org/base-8b",
            "modelscope",
            "git+https://www.modelscope.cn/org/base-8b.git@c0ffee",
        ),
    ],
)
def test_a_model_of_a_hub_is_named_with_its_commit(
    planned, source: str, record: dict[str, Any], page_of_it: str, folder_of_it: str, uri: str
) -> None:
    def of_the_hub(document) -> None:
        document["models"][0]["base_model"] = {source: "org/base-8b"}

    plan, settings = planned(of_the_hub)
    step = plan.models[0].steps[0]
    record |= {"repo": "org/base-8b", "commit": "c0ffee", "files": [{"name": "model.safetensors"}]}
    marker = ArtefactMarker(identity=step.identity, step=step.name)
    folder = FoundFolder(
        path=str(step.artefact),
        bytes=1,
        modified=1,
        texts={FETCHED: json.dumps(record), MARKER: encode(marker)},
    )
    sight = sight_of(plan)
    others = [each for each in sight.survey.folders if each.path != folder.path]
    sight = HostSight(survey=replace(sight.survey, folders=(*others, folder)))
    state = read_state(exported(plan, settings))
    (guide, _) = lineages(state, sight.survey)
    front, page = parted(card_of(guide, state))
    assert front["base_model"] == "org/base-8b"
    assert "at commit\n`c0ffee`" in page
    assert guide.origin is not None
    assert f"[org/base-8b]({page_of_it})" in page
    assert guide.origin.files == (
        f"/root/.cache/huggingface/{folder_of_it}/models--org--base-8b/snapshots/c0ffee/"
        "model.safetensors",
    )
    assert (guide.origin.uri, guide.base_folder) == (uri, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plain", "`plain`"),
        ("a\n# b", "`a # b`"),
        ("a `b` c", "``a `b` c``"),
        ("`b`", "`` `b` ``"),
        ("a|b", "`a\\|b`"),
        ("", "`  `"),
    ],
)
def test_text_from_elsewhere_cannot_become_markup(text: str, told: str) -> None:
    assert quoted(text) == told
