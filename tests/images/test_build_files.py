"""What a build gets to see: the plan's tag, Pulumi's digest and the engine go by the same files."""

import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from plan.host import HostFacts
from planning import images
from planning.images import build_files, plan_images
from stack_configs.settings.host import Hardware
from tests.images.dockerfiles import (
    DOCKERFILES,
    IMAGES,
    below_images,
    instructions,
    settings,
)
from toolchain.offline.plugins.docker_plugin.build_context import BuildContext

Tags = Callable[[], Mapping[str, str]]
VARIANTS: tuple[Hardware, ...] = ("cpu", "cuda", "rocm", "npu")
OTHERS = ("ollama", "metrics", "reverse-proxy")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder that a test may change."""
    copy = tmp_path / "images"
    shutil.copytree(IMAGES, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(images, "IMAGES", copy)
    return copy


@pytest.fixture
def tags(tree: Path) -> Tags:
    """By variant, and by the role of the images that all variants share."""

    def make() -> Mapping[str, str]:
        plans = {variant: plan_images(settings(variant), HostFacts()) for variant in VARIANTS}
        found = {variant: plan.llamafactory.reference for variant, plan in plans.items()}
        return found | {image.role: image.reference for image in plans["cpu"].all[1:]}

    return make


def context_digest(tree: Path, dockerfile: str) -> str:
    return BuildContext(tree, tree / dockerfile).digest()


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=below_images)
class TestFiles:
    def test_the_engine_gets_what_the_tag_is_made_of(self, dockerfile: Path) -> None:
        packed, name = BuildContext(IMAGES, dockerfile).archive()
        with packed, tarfile.open(fileobj=packed) as archive:
            sent = sorted(member.name for member in archive if member.isfile())
        assert name == below_images(dockerfile)
        assert sent == list(build_files(below_images(dockerfile)))

    def test_what_is_copied_is_there_and_nothing_of_another_image(self, dockerfile: Path) -> None:
        seen = build_files(below_images(dockerfile))
        for line in instructions(dockerfile):
            if line.startswith("COPY ") and "--from" not in line:
                assert set(line.split()[1:-1]) <= set(seen), line
        role = below_images(dockerfile.parent)
        assert {file.split("/")[0] for file in seen} <= {role, "shared"}
        others = [file for file in seen if "/Dockerfile" in file and file != seen[0]]
        assert others == [], "a change of another variant would build this one again"


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        # The converter is built on the CPU image, whose tag is part of its own.
        ("shared/prepare_system.sh", {*VARIANTS, "converter", *OTHERS}),
        ("llamafactory/build/install_extras.sh", {*VARIANTS, "converter"}),
        ("llamafactory/Dockerfile.cuda", {"cuda"}),
        ("llamafactory/requirements-cpu.lock", {"cpu", "converter"}),
        ("converter/build/fetch_converter.py", {"converter"}),
        ("ollama/build/build_ollama.sh", {"ollama"}),
        ("metrics/exporter/steps.py", {"metrics"}),
        ("reverse-proxy/serve.sh", {"reverse-proxy"}),
        ("ollama/build/__pycache__/x.pyc", set()),
    ],
)
def test_a_changed_file_builds_the_images_that_see_it(
    tree: Path, tags: Tags, file: str, changed: set[str]
) -> None:
    dockerfiles = [below_images(path) for path in DOCKERFILES]
    before, digests = tags(), {name: context_digest(tree, name) for name in dockerfiles}
    (tree / file).parent.mkdir(exist_ok=True)
    with (tree / file).open("a") as opened:
        opened.write("# changed\n")
    after = tags()
    assert {name for name in before if before[name] != after[name]} == changed
    seen = {name for name in dockerfiles if file in build_files(name)}
    assert {name for name in dockerfiles if digests[name] != context_digest(tree, name)} == seen
