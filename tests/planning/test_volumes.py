"""Volumes: their names, and which of them outlive the stack (F7, D3, T7)."""

import pytest

from plan.container import Mount
from planning.volumes import plan_volumes
from stack_configs.settings.volumes import VolumesSettings


def test_names_are_fixed_so_that_a_retained_volume_is_found_again() -> None:
    names = [volume.name for volume in plan_volumes(VolumesSettings(), "test")]
    assert names == ["test-data", "test-output", "test-hf-cache", "test-ollama"]


def test_the_costly_ones_are_kept_unless_told_otherwise() -> None:
    plan = plan_volumes(VolumesSettings(), "test")
    assert [volume.role for volume in plan if volume.retain] == ["output", "hf_cache"]
    other = VolumesSettings.model_validate(
        {"output": {"retain": False}, "ollama": {"retain": True, "host_path": "/srv/ollama"}}
    )
    plan = plan_volumes(other, "test")
    assert [volume.role for volume in plan if volume.retain] == ["hf_cache", "ollama"]
    assert plan.ollama.host_path == "/srv/ollama"


def test_the_guides_three_mounts() -> None:
    mounts = plan_volumes(VolumesSettings(), "test").training_mounts
    assert mounts == (
        Mount(source="test-data", target="/app/data"),
        Mount(source="test-output", target="/app/output"),
        Mount(source="test-hf-cache", target="/root/.cache/huggingface"),
    )


def test_a_directory_of_the_host_is_mounted_in_a_volumes_place() -> None:
    settings = VolumesSettings.model_validate({"data": {"host_path": "/srv/data"}})
    mount = plan_volumes(settings, "test").data.mount(read_only=True)
    assert mount == Mount(source="/srv/data", target="/app/data", read_only=True)
    assert mount.type == "bind"
    assert plan_volumes(VolumesSettings(), "test").data.mount().type == "volume"


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/app/output/runs/a", "output"),
        ("/app/data", "data"),
        ("/root/.cache/huggingface/hub/b", "hf_cache"),
        ("/app/outputs/a", None),
        ("/root/.ollama/models", None),
    ],
)
def test_the_volume_that_a_path_of_a_training_lies_in(path: str, role: str | None) -> None:
    volume = plan_volumes(VolumesSettings(), "test").holding(path)
    assert (volume.role if volume else None) == role
