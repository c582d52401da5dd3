"""The GPU variants of the training image, built by the stack on a base that can be had (F1-F3, T6).

The real bases are tens of gigabytes and come from a registry. What they bring, a Python with torch,
the CPU variant has too: on it everything that the Dockerfiles add is installed for real.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation

from components.images import Images, ImagesArgs
from plan.host import HostFacts
from plan.image import ImagesPlan
from planning.images import plan_images
from stack_configs.settings.loader import parse_settings
from tests.integration.conftest import Engine
from tests.integration.stack import PROJECT, demo_settings

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(1800),
]

TARGETS = ["**::images", "**::images-llamafactory*"]
"""The training image, its base, and the component that they belong to."""


def plan(**changes: Mapping[str, Any]) -> ImagesPlan:
    """The demo's images after changes of sections of its settings."""
    document = demo_settings()
    for section, change in changes.items():
        document[section] |= change
    settings = parse_settings(document, directory=PROJECT, source="variants.yaml")
    return plan_images(settings, HostFacts())


def build(images: ImagesPlan, home: Path) -> str:
    """Have Pulumi build the training image, and no more of a stack; its name.

    This machine has none of the hardware: the look at the host would refuse the whole.
    """

    def program() -> None:
        Images("images", ImagesArgs(plan=images, tokens={}, platform=None, after=()))

    home.mkdir(parents=True, exist_ok=True)
    # The project's own folder would be written to.
    (home / "images").symlink_to(PROJECT / "images")
    stack = automation.create_or_select_stack(
        "variant",
        project_name="variants",
        program=program,
        opts=automation.LocalWorkspaceOptions(
            work_dir=str(home),
            project_settings=automation.ProjectSettings(
                name="variants",
                runtime="python",
                backend=automation.ProjectBackend(url=f"file://{home}"),
            ),
            env_vars={
                "PULUMI_BACKEND_URL": f"file://{home}",
                "PULUMI_CONFIG_PASSPHRASE": "correct horse",
            },
        ),
    )
    stack.up(target=TARGETS)
    return images.llamafactory.reference


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The CPU variant; there already after the demo's tests."""
    return build(plan(), tmp_path_factory.mktemp("base"))


@pytest.mark.parametrize(
    ("hardware", "builder", "extras"),
    [
        ("cuda", "buildkit", ["bitsandbytes", "deepspeed", "metrics"]),
        ("rocm", "buildkit", []),
        ("npu", "classic", []),
    ],
)
@pytest.mark.capability("F2", "F3")
def test_a_variant_builds(
    home: Path, engine: Engine, base: str, hardware: str, builder: str, extras: list[str]
):
    images = plan(
        host={"hardware": hardware, "gpu": {"count": 1}},
        images={"builder": builder, "llamafactory": {"base_image": base, "extras": extras}},
    )
    image = build(images, home)
    assert run(engine, image, "llamafactory-cli version").count("version 0.9.5") == 1
    packages = run(engine, image, "pip list --format freeze")
    assert [name for name in extras if f"{name}==" not in packages] == (
        ["metrics"] if "metrics" in extras else []
    )
    assert ("rouge-chinese==" in packages) is ("metrics" in extras)
    # For the labels of plots in Chinese, Japanese and Korean (F3).
    assert "wqy" in run(engine, image, "ls /usr/share/fonts/truetype")


def run(engine: Engine, image: str, command: str) -> str:
    output: Any = engine.client.containers.run(
        image, ["sh", "-c", command], network_mode="none", remove=True
    )
    return str(output.decode())
