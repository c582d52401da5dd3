"""Which engine a stack is for, told before its program runs."""

from pathlib import Path

import pytest

from toolchain import setup
from toolchain.engine_choice import EngineChoice, engine_choice, is_plan_only
from toolchain.errors import ToolchainError
from toolchain.places import REPOSITORY, Places, places_from


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "stack_configs").mkdir()
    return places_from({"HOME": str(tmp_path / "home")}, tmp_path)


def settings(places: Places, text: str, name: str = "stack_configs/gpu.yaml") -> None:
    (places.repository / name).write_text(text)


def test_nobody_has_chosen(places: Places) -> None:
    assert engine_choice(places, "gpu", {}) == EngineChoice("unix:///var/run/docker.sock", None)


def test_docker_host_decides_where_the_settings_are_silent(places: Places) -> None:
    settings(places, "host: {check: full}")

    choice = engine_choice(places, "gpu", {"DOCKER_HOST": "tcp://box:2375"})

    assert choice == EngineChoice("tcp://box:2375", "DOCKER_HOST")
    assert choice.is_elsewhere


def test_the_settings_come_before_docker_host(places: Places) -> None:
    settings(places, "host: {engine: 'ssh://me@gpu-box', check: plan_only}")

    choice = engine_choice(places, "gpu", {"DOCKER_HOST": "tcp://box:2375"})

    assert choice == EngineChoice("ssh://me@gpu-box", "host.engine in gpu.yaml")
    assert is_plan_only(places, "gpu")


def test_the_stack_names_its_settings(places: Places) -> None:
    config = "config:\n  finetune-stack:stack_config: {}\n"
    settings(places, config.format("gpu"), "Pulumi.prod.yaml")
    settings(places, config.format("kept/elsewhere.yaml"), "Pulumi.other.yaml")
    settings(places, "host: {engine: 'ssh://me@gpu-box'}")
    (places.repository / "kept").mkdir()
    settings(places, "host: {engine: 'unix:///run/other.sock'}", "kept/elsewhere.yaml")

    assert engine_choice(places, "prod", {}).host == "ssh://me@gpu-box"
    other = engine_choice(places, "other", {})
    assert other == EngineChoice("unix:///run/other.sock", "host.engine in elsewhere.yaml")
    assert not other.is_elsewhere


@pytest.mark.parametrize("text", ["host: [", "- 1", "host: 3", "host: {engine: 3}", "\x00"])
def test_wrong_settings_are_left_to_the_program(places: Places, text: str) -> None:
    settings(places, text)

    assert engine_choice(places, "gpu", {}).chosen_by is None
    assert not is_plan_only(places, "gpu")


def test_the_committed_stacks_use_the_engine_at_hand() -> None:
    for stack in ("demo", "dev"):
        assert engine_choice(places_from({}, REPOSITORY), stack, {}) == EngineChoice()


@pytest.mark.parametrize("host", ["ssh://me@nowhere.invalid", "tcp://127.0.0.1:9"])
def test_a_silent_engine_elsewhere_is_told_and_nothing_is_set_up(
    places: Places, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """No package is installed, no engine started, no CLI fetched, no image made."""
    monkeypatch.setenv("PATH", str(places.repository))
    choice = EngineChoice(host, "host.engine in gpu.yaml")

    with pytest.raises(ToolchainError, match=f"host.engine in gpu.yaml is {host}, and no Docker"):
        setup.set_up(places, choice)

    assert not places.cache.exists()
    assert not places.state.exists()


def test_an_engine_elsewhere_gets_no_base_image_from_here(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody answers at this address: asking for an image there would fail."""
    monkeypatch.setattr(setup, "set_up_cli", lambda _: {"PATH": "/tools"})
    monkeypatch.setattr(setup, "ensure_engine", lambda *_: None)

    assert setup.set_up(places, EngineChoice("tcp://gpu-box:2375", "DOCKER_HOST")) == {
        "PATH": "/tools"
    }
