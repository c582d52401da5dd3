"""The program that looks into the volumes of a stack."""

import hashlib
import json
from pathlib import Path

import pytest

from plan.codec import as_json, decode, encode
from plan.survey import Survey, SurveyRequest
from tests.images.conftest import load_program

survey = load_program(Path(__file__).parents[2] / "in_container/survey.py")


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "a1"
    (folder / "checkpoint-1").mkdir(parents=True)
    (folder / "complete.json").write_text('{"identity": "a1"}')
    (folder / "train.yaml").write_text("seed: 1\n")
    (folder / "model.safetensors").write_bytes(b"\0" * 1000)
    (folder / "checkpoint-1" / "train.yaml").write_text("seed: 2\n")
    (tmp_path / "runs" / "b2.partial").mkdir()
    return tmp_path


def taken(volume: Path, request: SurveyRequest) -> Survey:
    """As the host gets it: the request and the answer are files."""
    (volume / "request.json").write_text(encode(request))
    survey.main([str(volume / "request.json"), str(volume / "survey.json")])
    return decode(Survey, (volume / "survey.json").read_bytes())


def test_every_folder_tells_its_size_and_the_texts_that_are_wanted(volume: Path) -> None:
    wanted = ("*.yaml", "complete.json", "model.safetensors")
    found = taken(volume, SurveyRequest(roots=(str(volume / "runs"),), kept_texts=wanted))
    first, second = found.folders
    assert first.path == str(volume / "runs/a1")
    assert first.bytes == 18 + 8 + 1000 + 8
    assert first.texts == {"complete.json": '{"identity": "a1"}', "train.yaml": "seed: 1\n"}
    assert (second.path, second.bytes) == (str(volume / "runs/b2.partial"), 0)
    assert found.disk_bytes > found.disk_free_bytes > 0


def test_every_file_of_a_folder_is_digested(volume: Path) -> None:
    found = taken(volume, SurveyRequest(digests=(str(volume / "runs/a1"), "/nowhere")))
    assert len(found.files) == 4
    weights = found.files[str(volume / "runs/a1/model.safetensors")]
    assert weights.sha256 == hashlib.sha256(b"\0" * 1000).hexdigest()
    assert weights.bytes == 1000


def test_a_link_is_what_it_leads_to(volume: Path) -> None:
    """The hub's cache has a link for each file of a snapshot."""
    (volume / "snapshot").mkdir()
    (volume / "snapshot/w").symlink_to(volume / "runs/a1/model.safetensors")
    found = taken(volume, SurveyRequest(digests=(str(volume / "snapshot/w"),)))
    assert [file.bytes for file in found.files.values()] == [1000]


def test_a_text_that_is_too_large_is_left_out(
    volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "LARGEST_TEXT", 10)
    wanted = SurveyRequest(
        roots=(str(volume / "runs"),),
        kept_texts=("complete.json", "train.yaml"),
        texts=(str(volume / "runs/a1/complete.json"), str(volume / "gone")),
    )
    found = taken(volume, wanted)
    assert found.folders[0].texts == {"train.yaml": "seed: 1\n"}
    assert found.texts == {}


def test_what_is_not_there_is_left_out(volume: Path) -> None:
    found = taken(volume, SurveyRequest(roots=("/nowhere",), texts=("/nowhere",)))
    assert as_json(found) == as_json(Survey())
    assert json.loads((volume / "survey.json").read_text())["folders"] == []
