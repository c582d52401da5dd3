"""What the plan and the builds have to agree on. What a build gives is for tests/integration."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from plan import labels
from plan.host import HostFacts
from plan.image import BUILD_ARGUMENT, ImagePlan
from planning.images import plan_images
from stack_configs.settings.host import Hardware
from tests.images.dockerfiles import (
    DOCKERFILES,
    IMAGES,
    PROJECT,
    below_images,
    instructions,
    settings,
)

SCRIPTS = sorted(IMAGES.rglob("*.sh"))
OF_THE_DOCKERFILE = {"TORCH", "TORCH_INDEX_URL", "LLAMAFACTORY_SOURCE"}
"""Arguments that the plan leaves as they are: what belongs to the base, and, unless the settings
name one, a source to install from in place of a release."""


each_dockerfile = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=below_images)


def planned() -> Iterator[ImagePlan]:
    """Every image that is ever built."""
    for hardware in get_args(Hardware):
        plan = plan_images(settings(hardware), HostFacts())
        yield from plan.all if hardware == "cpu" else [plan.llamafactory]


PLANNED = {image.dockerfile: image for image in planned()}


def arguments(dockerfile: Path) -> dict[str, str]:
    """What can be given to a build, with its default."""
    declared = [
        line.split(maxsplit=1)[1] for line in instructions(dockerfile) if "ARG " in line[:4]
    ]
    assert all("=" in each for each in declared), "without a default a build by hand would differ"
    pairs = (each.split("=", 1) for each in declared)
    return {name: default.strip('"') for name, default in pairs}


def test_every_dockerfile_is_planned_and_every_plan_has_its_dockerfile() -> None:
    assert {path.relative_to(PROJECT).as_posix() for path in DOCKERFILES} == PLANNED.keys()
    assert len(DOCKERFILES) == len(get_args(Hardware)) + 4


@pytest.mark.parametrize("image", PLANNED.values(), ids=PLANNED)
class TestArguments:
    """Between the plan of an image and its Dockerfile."""

    def test_what_is_given_is_taken_and_what_is_taken_is_given(self, image: ImagePlan) -> None:
        taken = arguments(PROJECT / image.dockerfile).keys()
        assert {*image.args, BUILD_ARGUMENT} == taken - OF_THE_DOCKERFILE

    def test_a_build_by_hand_starts_from_the_same_base_and_version(self, image: ImagePlan) -> None:
        defaults = arguments(PROJECT / image.dockerfile)
        # An image of ours has its tag from its content.
        base = re.sub(rf"^({labels.NAMESPACE}/.*):.*", r"\1", image.args["BASE_IMAGE"])
        assert defaults["BASE_IMAGE"] == base
        for name in image.args.keys() - {"BASE_IMAGE"}:
            assert defaults[name] == image.args[name], name

    def test_the_image_tells_its_token(self, image: ImagePlan) -> None:
        last_stage = "\n".join(instructions(PROJECT / image.dockerfile)).split("\nFROM ")[-1]
        assert f"\nLABEL {labels.TOKEN}=${{{BUILD_ARGUMENT}}}\n" in last_stage


@each_dockerfile
def test_every_stage_has_the_base_that_the_plan_names(dockerfile: Path) -> None:
    stages = [line.split()[1] for line in instructions(dockerfile) if line.startswith("FROM ")]
    assert set(stages) == {"${BASE_IMAGE}"}, "another base could not be mirrored, or made offline"


@each_dockerfile
def test_nothing_is_written_that_only_buildkit_reads(dockerfile: Path) -> None:
    assert not re.search(r"^#\s*(syntax|check|escape)\s*=", dockerfile.read_text(), re.MULTILINE)
    for line in instructions(dockerfile):
        assert "<<" not in line
        assert set(re.findall(r"\s--(mount|network|security|link|parents|chmod)\b", line)) == set()


class TestLocks:
    LOCK = IMAGES / "llamafactory/requirements-cpu.lock"

    def test_every_package_is_pinned_by_hash(self) -> None:
        text = self.LOCK.read_text()
        packages = re.findall(
            r"^([\w.-]+)==\S+ \\\n((?:    --hash=\S+(?: \\)?\n)+)", text, re.MULTILINE
        )
        lines = [line for line in text.splitlines() if line and line[0] not in " #"]
        assert len(packages) == len(lines) > 50
        names = {name for name, _ in packages}
        assert not names & {"torch", "torchvision", "torchaudio"}, "torch is Debian's"

    def test_it_is_for_the_version_that_is_installed_by_default(self) -> None:
        (version,) = re.findall(r"^llamafactory==(\S+) ", self.LOCK.read_text(), re.MULTILINE)
        for image in PLANNED.values():
            assert image.args.get("LLAMAFACTORY_VERSION", version) == version

    def test_the_ollama_version_has_a_known_sum(self) -> None:
        version = PLANNED["images/ollama/Dockerfile"].args["OLLAMA_VERSION"]
        sums = (IMAGES / "ollama/build/module_sums.txt").read_text()
        assert re.search(rf"^{re.escape(version)} h1:\S+=$", sums, re.MULTILINE)


@pytest.mark.parametrize("script", SCRIPTS, ids=below_images)
def test_the_build_scripts_pass_the_shell_check(script: Path) -> None:
    # In the same environment as the tests, which need not be on PATH.
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    checker = shutil.which("shellcheck", path=places)
    assert checker, "shellcheck is among the development dependencies"
    found = subprocess.run([checker, script], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
