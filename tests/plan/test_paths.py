"""Where things lie inside the containers: no two of them in one place."""

from pathlib import PurePosixPath

import pytest

from plan import paths

IDENTITY = "565a4b6527cf7ea4"


def test_an_artefact_lies_beside_the_folder_that_it_is_renamed_from() -> None:
    artefact, partial = paths.artefact(IDENTITY), paths.partial(IDENTITY)
    assert artefact.parent == partial.parent == PurePosixPath("/app/output/runs")
    assert artefact != partial
    assert artefact.name == IDENTITY


def test_every_marker_is_called_alike_and_lies_in_the_volume_of_its_work() -> None:
    markers = {
        paths.artefact(IDENTITY) / paths.MARKER: paths.OUTPUT,
        paths.data_marker(IDENTITY): paths.DATA,
        paths.served_marker(IDENTITY): paths.OLLAMA_STORE,
    }
    assert len(markers) == 3
    for marker, volume in markers.items():
        assert marker.is_relative_to(volume)
        assert marker.name == paths.MARKER
        assert marker.parent.name == IDENTITY


def test_other_content_of_a_data_file_lies_in_another_folder() -> None:
    one, other = (paths.data_file(digit * 64, "rows.json") for digit in "ab")
    assert one.name == other.name == "rows.json"
    assert one.parent != other.parent
    assert one.is_relative_to(paths.DATA)


@pytest.mark.parametrize(
    ("served_name", "manifest"),
    [
        ("guide:latest", "library/guide/latest"),
        ("guide:7b", "library/guide/7b"),
        ("guide", "library/guide/latest"),
        ("me/guide:v2", "me/guide/v2"),
        ("me/guide", "me/guide/latest"),
    ],
)
def test_a_manifest_lies_where_ollama_keeps_it(served_name: str, manifest: str) -> None:
    # Ollama, `types/model/name.go`: host, namespace, model and tag, each a folder.
    place = paths.ollama_manifest(served_name)
    assert str(place) == f"/root/.ollama/models/manifests/registry.ollama.ai/{manifest}"
