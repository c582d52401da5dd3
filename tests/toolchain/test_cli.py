"""Which CLI is used, and what a build hangs on."""

import hashlib
import tomllib
from pathlib import Path

import pytest

from toolchain import cli_download, versions
from toolchain.cli import CliRoute, built_folder, find_cli, official_folder
from toolchain.errors import ToolchainError
from toolchain.places import REPOSITORY, Places, places_from


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return places_from({"HOME": str(tmp_path)})


def host_cli(folder: Path, version: str, *, language_host: bool = True) -> dict[str, str]:
    folder.mkdir(parents=True)
    programs = {"pulumi": f"echo v{version}"}
    if language_host:
        programs["pulumi-language-python"] = "exit 0"
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


class TestOrder:
    def test_nothing_is_there(self, places: Places) -> None:
        assert find_cli(places, {"PATH": ""}) is None

    def test_the_pinned_version_on_path_comes_first(self, places: Places, tmp_path: Path) -> None:
        environ = host_cli(tmp_path / "bin", versions.PULUMI)
        official_folder(places).mkdir(parents=True)

        found = find_cli(places, environ)

        assert found is not None
        assert (found.route, found.folder) == (CliRoute.ON_PATH, tmp_path / "bin")

    @pytest.mark.parametrize(
        ("version", "language_host"), [("3.258.0", True), (versions.PULUMI, False)]
    )
    def test_another_version_or_none_with_a_language_host_is_passed_over(
        self, places: Places, tmp_path: Path, version: str, language_host: bool
    ) -> None:
        environ = host_cli(tmp_path / "bin", version, language_host=language_host)
        built_folder(places).mkdir(parents=True)

        found = find_cli(places, environ)

        assert found is not None
        assert found.route is CliRoute.BUILT

    def test_a_download_comes_before_a_build(self, places: Places) -> None:
        official_folder(places).mkdir(parents=True)
        built_folder(places).mkdir(parents=True)

        found = find_cli(places, {"PATH": ""})

        assert found is not None
        assert found.route is CliRoute.DOWNLOADED

    def test_our_own_folder_on_path_keeps_its_route(self, places: Places) -> None:
        environ = host_cli(built_folder(places), versions.PULUMI)

        found = find_cli(places, environ)

        assert found is not None
        assert found.route is CliRoute.BUILT


class TestPins:
    def test_the_sdk_and_the_cli_are_of_one_version(self) -> None:
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
        wanted = {
            f"pulumi=={versions.PULUMI}",
            *(f"pulumi-{name}=={version}" for name, version in versions.PLUGINS.items()),
        }

        assert wanted <= set(project["dependencies"])

    def test_the_go_modules_name_the_same_versions(self) -> None:
        cli = (REPOSITORY / "toolchain/offline/cli/go.mod").read_text()
        host = (REPOSITORY / "toolchain/offline/language_host/go.mod").read_text()

        assert f"github.com/pulumi/pulumi/pkg/v3 v{versions.PULUMI}\n" in cli
        assert f"github.com/pulumi/pulumi/sdk/v3 v{versions.LANGUAGE_HOST}" in host


class TestDownload:
    def test_the_checksum_of_this_file_is_found(self) -> None:
        sums = "aa  pulumi-v1-linux-x64.tar.gz.sig\nbb  pulumi-v1-linux-x64.tar.gz\n"

        assert cli_download.expected_checksum(sums, "pulumi-v1-linux-x64.tar.gz") == "bb"

    def test_a_file_without_a_checksum_is_refused(self) -> None:
        with pytest.raises(ToolchainError, match="do not name other"):
            cli_download.expected_checksum("aa  one\n", "other")

    def test_a_changed_file_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "archive"
        path.write_bytes(b"content")

        cli_download.check(path, hashlib.sha256(b"content").hexdigest())
        with pytest.raises(ToolchainError, match="published is 00"):
            cli_download.check(path, "00")

    def test_an_unknown_machine_names_the_known_ones(self) -> None:
        assert "x64" in cli_download.archive_name("x86_64")
        with pytest.raises(ToolchainError, match="for riscv64; there is for x86_64, aarch64"):
            cli_download.archive_name("riscv64")
