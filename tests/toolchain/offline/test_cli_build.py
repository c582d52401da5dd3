"""What a build of the CLI hangs on."""

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from toolchain.cli import built_folder
from toolchain.errors import ToolchainError
from toolchain.offline import cli_build
from toolchain.places import REPOSITORY, Places, places_from


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return places_from({"HOME": str(tmp_path)})


class TestBuild:
    def test_the_folder_follows_the_recipe(self, tmp_path: Path) -> None:
        sources = tmp_path / "toolchain" / "offline"
        for name in cli_build.RECIPE:
            (sources / name).parent.mkdir(parents=True, exist_ok=True)
            (sources / name).write_bytes((REPOSITORY / "toolchain/offline" / name).read_bytes())
        places = places_from({"HOME": str(tmp_path)}, tmp_path)
        same = built_folder(places)

        assert same.name == built_folder(places_from({"HOME": str(tmp_path)})).name
        with (sources / "cli" / "go.sum").open("a") as handle:
            handle.write("one more\n")
        assert built_folder(places) != same

    def test_arguments_hold_no_path_and_set_the_version(self) -> None:
        arguments = cli_build.build_arguments("package", "1.2.3", Path("out"))

        assert "-trimpath" in arguments
        assert any(argument.endswith("version.Version=v1.2.3") for argument in arguments)

    def test_too_little_disk_is_said_before_anything_is_fetched(
        self, places: Places, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cli_build, "FREE_GB_NEEDED", 10**9)

        with pytest.raises(ToolchainError, match="set FINETUNE_CACHE to a folder on a larger disk"):
            cli_build.build_cli(places, built_folder(places))

        assert not built_folder(places).exists()

    @pytest.mark.parametrize("module", ["cli", "language_host"])
    def test_every_module_has_its_checksum(self, module: str) -> None:
        sums = (REPOSITORY / "toolchain/offline" / module / "go.sum").read_text()
        required = {
            tuple(line.split()[:2])
            for line in (REPOSITORY / "toolchain/offline" / module / "go.mod")
            .read_text()
            .splitlines()
            if line.startswith("\t")
        }

        assert required
        replaced = {"github.com/atotto/clipboard"}
        for path, version in required:
            assert path in replaced or f"{path} {version}/go.mod h1:" in sums


def test_the_language_host_can_be_interrupted_in_a_background_job_too(tmp_path: Path) -> None:
    launcher = REPOSITORY / "toolchain/offline/language_host/pulumi-language-python"
    shutil.copy(launcher, tmp_path)
    host = tmp_path / "libexec/pulumi-language-python"
    host.parent.mkdir()
    host.write_text("#!/bin/sh\nexec sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status\n")
    host.chmod(0o755)

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        told = subprocess.run(
            [tmp_path / launcher.name], cwd=tmp_path, capture_output=True, text=True, check=True
        )
    finally:
        signal.signal(signal.SIGINT, before)

    assert not int(told.stdout, 16) & 1 << (signal.SIGINT - 1)
