"""Every Dockerfile builds with either builder, from any base, as planned (F1-F3)."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from planning.images import plan_images
from stack_configs.settings.root import Settings

IMAGES = Path(__file__).parents[2] / "images"
DOCKERFILES = sorted(IMAGES.glob("*/Dockerfile*"))
SCRIPTS = sorted(IMAGES.glob("*/build/*.sh"))
MIRRORS = {"APT_MIRROR", "EXTRA_CA_B64", "PIP_INDEX_URL"}
"""Given to every build; a Dockerfile declares those that it has a use for."""

each_dockerfile = pytest.mark.parametrize(
    "dockerfile", DOCKERFILES, ids=lambda path: path.relative_to(IMAGES).as_posix()
)


def instructions(dockerfile: Path) -> list[str]:
    """The instructions, continuation lines joined, comments left out."""
    lines = dockerfile.read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def declared(dockerfile: Path) -> set[str]:
    return {
        line.split()[1].partition("=")[0]
        for line in instructions(dockerfile)
        if line.startswith("ARG ")
    }


def test_there_is_a_dockerfile_for_every_image_and_variant():
    assert [path.relative_to(IMAGES).as_posix() for path in DOCKERFILES] == [
        "converter/Dockerfile",
        "llamafactory/Dockerfile.cpu",
        "llamafactory/Dockerfile.cuda",
        "llamafactory/Dockerfile.npu",
        "llamafactory/Dockerfile.rocm",
        "ollama/Dockerfile",
    ]


@each_dockerfile
def test_the_base_is_an_argument_with_a_default(dockerfile):
    first, second, *rest = instructions(dockerfile)

    assert re.fullmatch(r"ARG BASE_IMAGE=\S+", first)
    assert second.split()[:2] == ["FROM", "${BASE_IMAGE}"]
    later = [line.split()[1] for line in rest if line.startswith("FROM ")]
    assert set(later) <= {"${BASE_IMAGE}"}, "a fixed base cannot be mirrored or made offline"


@each_dockerfile
def test_nothing_is_written_that_only_buildkit_reads(dockerfile):
    text = dockerfile.read_text()

    assert not re.search(r"^#\s*(syntax|check|escape)\s*=", text, re.MULTILINE)
    for line in instructions(dockerfile):
        assert "--mount" not in line
        assert "<<" not in line
        if line.startswith(("COPY", "ADD")):
            assert set(re.findall(r"--(\w+)", line)) <= {"from", "chown"}, line


@each_dockerfile
def test_what_is_copied_is_in_the_context(dockerfile):
    for line in instructions(dockerfile):
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (dockerfile.parent / source).exists(), line


@each_dockerfile
def test_every_argument_but_an_operators_own_is_empty_or_pinned(dockerfile):
    for line in instructions(dockerfile):
        if line.startswith("ARG ") and not line.startswith("ARG BASE_IMAGE"):
            assert "=" in line, "without a default a build by hand would differ"
            assert "latest" not in line


@pytest.mark.parametrize("hardware", ["cpu", "cuda", "rocm", "npu"])
def test_the_plan_gives_every_image_what_its_dockerfile_takes(hardware):
    plan = plan_images(a_settings(hardware))

    for image in (plan.llamafactory, plan.converter, plan.ollama):
        takes = declared(IMAGES.parent / image.dockerfile)
        assert set(image.args) - MIRRORS <= takes, f"{image.dockerfile} ignores an argument"
        assert takes & (MIRRORS | {"BASE_IMAGE"}) <= set(image.args), image.dockerfile


def a_settings(hardware: str) -> Settings:
    return Settings.model_validate(
        {
            "host": {"hardware": hardware},
            "images": {"ollama": {"build": True}},
            "datasets": [{"name": "rows", "file": "rows.json"}],
            "models": [
                {
                    "name": "model",
                    "template": "llama3",
                    "base_model": {"hub": "owner/model-8B"},
                    "training_runs": [{"datasets": ["rows"]}],
                }
            ],
        }
    )


def test_the_cpu_lock_pins_every_package_by_hash():
    text = (IMAGES / "llamafactory/requirements-cpu.lock").read_text()
    packages = re.findall(
        r"^([\w.-]+)==\S+ \\\n((?:    --hash=\S+(?: \\)?\n)+)", text, re.MULTILINE
    )
    lines = [line for line in text.splitlines() if line and line[0] not in " #"]

    assert len(packages) == len(lines) > 50
    names = {name for name, _ in packages}
    assert "llamafactory" in names
    assert not names & {"torch", "torchvision", "torchaudio"}, "torch is Debian's"


def test_the_lock_is_for_the_version_that_is_installed_by_default():
    lock = (IMAGES / "llamafactory/requirements-cpu.lock").read_text()
    (version,) = re.findall(r"^llamafactory==(\S+) ", lock, re.MULTILINE)

    for dockerfile in IMAGES.glob("llamafactory/Dockerfile.*"):
        assert f"ARG LLAMAFACTORY_VERSION={version}" in instructions(dockerfile)
    assert plan_images(a_settings("cpu")).llamafactory.args["LLAMAFACTORY_VERSION"] == version


def test_the_ollama_version_has_a_known_sum():
    version = plan_images(a_settings("cpu")).ollama.args["OLLAMA_VERSION"]
    sums = (IMAGES / "ollama/build/module_sums.txt").read_text()

    assert re.search(rf"^{re.escape(version)} h1:\S+=$", sums, re.MULTILINE)


def test_both_contexts_hold_the_same_way_to_prepare_a_system():
    # A build sees its own context alone, so the file is there twice; it must not drift apart.
    copies = {path.read_bytes() for path in IMAGES.glob("*/build/prepare_system.sh")}

    assert len(copies) == 1


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(IMAGES).as_posix())
def test_the_build_scripts_pass_the_shell_check(script):
    # In the same environment as the tests, which need not be on PATH.
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    checker = shutil.which("shellcheck", path=places)
    assert checker, "shellcheck is among the development dependencies"
    found = subprocess.run([checker, script], capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout + found.stderr
